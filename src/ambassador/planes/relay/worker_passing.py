"""Sessions that a worker gets from the relay, or returns to it; see `worker_loop`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ambassador.core.session import Event
from ambassador.planes.relay.doorway import Carried
from ambassador.planes.relay.passing import arrive, file_of, pack, received, take_out
from ambassador.planes.relay.shared import NO_DOOR
from ambassador.planes.relay.side import Side
from ambassador.planes.relay.worker_messages import Adopt, Ended, Return

if TYPE_CHECKING:
    from ambassador.planes.relay.channel import Attached
    from ambassador.planes.relay.worker_loop import WorkerLoop

__all__ = ["adopt", "return_some"]


def adopt(loop: WorkerLoop, message: Adopt, descriptors: list[int]) -> None:
    """Carry a session that the relay hands over."""
    passed = message.passed
    number = min(message.book, NO_DOOR)
    book = loop.row.book(number)
    found = received(passed, descriptors)
    if found is None:
        numbers = passed.client.received, passed.upstream.received
        loop.row.load(1)
        loop.row.ended(book, Event.CUT, *numbers)
        loop.reports.add(Ended(message.key, Event.CUT, *numbers))
        return
    client, upstream, unsent = found
    pair = loop.carried[message.key] = Carried(loop, message.key, client)
    pair.told = True
    pair.event = passed.event
    pair.number, pair.book, pair.note = number, book, message.note
    loop.row.load(1)
    side = Side(pair, upstream)
    # Both are non-blocking already: that belongs to the open file, not to the descriptor.
    try:
        arrive(pair, passed, side, unsent)
    except Exception:  # too many are watched (epoll_ctl(2)), for one
        pair.broke()
        raise


def return_some(loop: WorkerLoop, most: int) -> None:
    """Return at most `most` connected sessions to the relay, in the state they are in."""
    loop.reports.flush()
    for key, pair in list(loop.carried.items()):
        packed = pack(pair, pair.event)
        if packed is None:
            continue
        if not most:
            return
        most -= 1
        passed, socks, unsent = packed
        try:
            attached: list[Attached] = [*socks, *([file_of(unsent)] if unsent else [])]
        except OSError:  # no descriptor, no memory: it stays
            continue
        take_out(pair)
        del loop.carried[key]
        loop.row.load(-1)
        with contextlib.suppress(OSError):  # the relay is gone: the poller reports it
            loop.channel.send(Return(key, passed), attached)
        pair.part()
