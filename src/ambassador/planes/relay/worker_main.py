"""The program of a worker process: it accepts, connects and carries beside the relay, no more.

It is a copy of the relay (`forking.py`), runs no event loop but its poller, and knows no routes:
only its sessions, and where clients of some listeners are led to (`doorway.py`). When the relay is
killed, no connection here breaks: the worker goes on, and waits some time for the next relay
(`orphan.py`). If none comes, it ends with its last session.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import traceback

from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.shared import CALLERS, Shared
from ambassador.planes.relay.silence import SilenceWatch
from ambassador.planes.relay.timers import Timers
from ambassador.planes.relay.worker_loop import WorkerLoop

__all__ = ["main"]


def _say(error: Exception) -> None:
    with contextlib.suppress(OSError):  # stderr is closed
        traceback.print_exception(error)


def main(  # noqa: PLR0917 (all that a worker is given)
    sock: socket.socket,
    arguments: tuple[int, int, int],
    row: int,
    shared: Shared,
    waiting: socket.socket | None,
    outlive: float,
) -> None:
    """Work until the relay is gone and the last session has ended. `sock`: the channel;
    `arguments`: limit and memory, see Poller, and each; for the rest see WorkerLoop.
    """
    limit, memory, each = arguments
    timers = Timers(_say)
    poller = Poller(limit, _say, later=timers.call_later, memory=memory)
    SilenceWatch(poller)
    if waiting is not None:
        # A process that connects to it sees the pid of this process then and not that of the relay,
        # which made the socket: SO_PEERCRED is of the process that called listen(2) last.
        waiting.listen(CALLERS)
    try:
        loop = WorkerLoop(sock, poller, shared, row, bool(each), waiting=waiting, outlive=outlive)
    except (BrokenPipeError, ConnectionResetError):  # the relay ended while this process started
        return
    gc.freeze()  # all objects of now stay: the collector need not look at them again
    while not loop.is_over:
        # When several sockets were ready, more will be soon. Yielding lets other processes make
        # them ready first, and so saves calls of epoll_wait(2). 50 clients of a Redis on two cores:
        # half the calls, 15 % more requests a second.
        several = poller.turn(timers.wait()) > 1
        timers.run()
        loop.row.turned()
        if loop.reports.soon:
            loop.reports.tell_known()
        if several and not poller.has_more:
            os.sched_yield()
    poller.close()
