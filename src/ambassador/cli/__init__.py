"""The command line: one file for each verb, imported only when the verb is used.

ambassador run [ASSIGNMENT...]     also the verb if none is given
ambassador HOST PORT               the same, for one route on PORT
ambassador check | demo | completion
ambassador status | move | ...      ask the running ambassador
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType

__all__ = ["main"]


def main() -> None:
    """Run the verb and exit: 0 if it is done or was stopped, else with the code in `errors`."""
    _refuse_an_old_python()
    # To process 1 the kernel delivers only signals that have a handler (pid_namespaces(7)); without
    # one, `docker stop` during our imports would have to wait for its kill.
    signal.signal(signal.SIGTERM, _stop_at_once)
    # SIGHUP would end a program without a handler. So it is blocked until `run` has a handler, or
    # until it is known that another verb is meant.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGHUP,))
    _open_standard_streams()
    # Imported modules stay in memory; to search them for cycles takes 6 of 170 ms. The verb enables
    # the collector again.
    gc.disable()
    try:
        from ambassador.cli.verbs import invoke  # noqa: PLC0415

        code = invoke(sys.argv[1:])
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # `ambassador check | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    _let_go_of_stderr()
    sys.exit(code)


def _refuse_an_old_python() -> None:
    """End with a clear error if the single file or the package is run by a Python that is too old:
    it could not even parse the modules that are imported next. This module can be parsed by 3.7.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 (this is the check itself)
        version = ".".join(map(str, sys.version_info[:3]))
        sys.stderr.write(
            f"ambassador: {sys.executable} is Python {version}, and 3.11 or newer is needed: "
            "Debian 12, Ubuntu 24.04, or the image\n"
        )
        sys.exit(2)


def _let_go_of_stderr() -> None:
    """Drop unwritten output if stderr has no reader any longer: otherwise Python 3.13 tries to
    write it again at its end, and then exits with 120, whatever the exit code was.
    """
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _open_standard_streams() -> None:
    """Open the standard streams that were closed before the start (`2>&-`): otherwise a socket
    would get the number, and a message that a library writes to stderr would go to a client.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number (open(2)), which is `fd`


def _stop_at_once(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)
