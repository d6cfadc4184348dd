"""The command line: one file a verb, imported only when it is used.

ambassador run [ASSIGNMENT...]     also what is meant when no verb is given
ambassador HOST PORT               the same, for one route on PORT
ambassador check | demo | completion
ambassador status | move | ...      ask the one that runs
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType

__all__ = ["main"]


def main() -> None:
    """Run the verb and exit: 0 done or stopped as asked, else as `errors` has it."""
    _refuse_an_old_python()
    # As process 1 the kernel delivers only signals we have a handler for (pid_namespaces(7));
    # `docker stop` must not wait for its kill while we are still importing.
    signal.signal(signal.SIGTERM, _stop_at_once)
    # SIGHUP ends a program that has no handler yet; it waits until `run` has one, or until it is
    # known that another verb is meant.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGHUP,))
    _open_standard_streams()
    # What is imported stays: looking for cycles in it is 6 of 170 ms. The verb enables it again.
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
    """Say so in a word, where the single file or the package is run by a Python that is too old:
    what is imported next could not even be read. What stands here can be, down to 3.7.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 (that is the question)
        version = ".".join(map(str, sys.version_info[:3]))
        sys.stderr.write(
            f"ambassador: {sys.executable} is Python {version}, and 3.11 or newer is needed: "
            "Debian 12, Ubuntu 24.04, or the image\n"
        )
        sys.exit(2)


def _let_go_of_stderr() -> None:
    """Drop what nobody reads any longer: Python 3.13 tries once more at its end, and then exits
    120 whatever the code was.
    """
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _open_standard_streams() -> None:
    """Fill what was closed for us (`2>&-`): a socket would get the number, and a stray message of
    some library would go to a client.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number (open(2)) is this one


def _stop_at_once(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)
