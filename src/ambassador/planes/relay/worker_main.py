"""A process that accepts, connects and carries beside the relay, and does nothing else.

It imports little (13 MB, 50 ms), runs no event loop but its poller, and knows no routes: only where
clients of some listeners are led to (`doorway.py`), and the sessions it has. Who kills the relay
breaks no connection here: it goes on for a while, until another relay comes (`orphan.py`), and else
ends with its last session.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import traceback

from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.shared import CALLERS, FIXED, Shared
from ambassador.planes.relay.silence import SilenceWatch
from ambassador.planes.relay.timers import Timers
from ambassador.planes.relay.worker_loop import MEANT_FOR_ALL, WorkerLoop

__all__ = ["main"]


def _say(error: Exception) -> None:
    with contextlib.suppress(OSError):  # nobody reads that any longer
        traceback.print_exception(error)


def _own(waiting: int) -> socket.socket:
    """Return the socket at which we shall wait; who connects to it sees that it is ours, and no
    longer the relay's (SO_PEERCRED: of the process that called listen(2) last).
    """
    sock = socket.socket(fileno=waiting)
    sock.listen(CALLERS)
    return sock


def main(  # noqa: PLR0917 (the arguments of a process)
    descriptor: int,
    limit: int,
    memory: int,
    row: int,
    each: int,
    waiting: int,
    outlive: int,
    *shared: int,
) -> None:
    """Carry until the relay is gone and the last session has ended. `descriptor`: of the channel;
    `limit`, `memory`: see Poller; `row`, `each`, `waiting` (-1: none), `outlive` (milliseconds):
    see WorkerLoop; `shared`: descriptors, see Shared.
    """
    for number in MEANT_FOR_ALL:  # of a terminal or of systemd; the relay says when to stop
        signal.signal(number, signal.SIG_IGN)
    timers = Timers(_say)
    poller = Poller(limit, _say, later=timers.call_later, memory=memory)
    SilenceWatch(poller)
    common = Shared((len(shared) - FIXED) // 2, shared)
    try:
        loop = WorkerLoop(
            *(socket.socket(fileno=descriptor), poller, common, row, bool(each)),
            waiting=_own(waiting) if waiting >= 0 else None,
            outlive=outlive / 1000,
        )
    except (BrokenPipeError, ConnectionResetError):  # the relay went while this was being started
        return
    gc.collect()
    gc.freeze()  # what is here now stays: it need not be looked at again
    while not loop.is_over:
        # When several were ready, more are about to be: who gives way to them asks less often.
        # 50 clients of a Redis on two cores: half the calls, 15 % more requests a second.
        several = poller.turn(timers.wait()) > 1
        timers.run()
        loop.row.turned()
        if loop.reports.soon:
            loop.reports.flush()
        if several and not poller.has_more:
            os.sched_yield()
    poller.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
