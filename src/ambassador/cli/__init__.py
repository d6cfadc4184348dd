"""The command line: one file a verb, imported only when it is used.

ambassador run [ASSIGNMENT...]     also what is meant when no verb is given
ambassador HOST PORT               the same, for one route on PORT
ambassador check | demo | completion
ambassador status | move | ...      ask the one that runs
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

__all__ = ["main"]


def main() -> None:
    """Run the verb and exit: 0 done or stopped as asked, else as `errors` has it."""
    # As process 1 the kernel delivers only signals we have a handler for (pid_namespaces(7));
    # `docker stop` must not wait for its kill while we are still importing.
    signal.signal(signal.SIGTERM, _stop_at_once)
    try:
        from ambassador.cli.verbs import invoke  # noqa: PLC0415

        code = invoke(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # `ambassador check | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def _stop_at_once(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)
