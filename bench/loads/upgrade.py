"""An upgrade under load: the longest that any session waits for an answer meanwhile."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from bench.bed import Bed
from bench.errors import Missing
from bench.loads.load import Load, Pace

__all__ = ["STAY_BEHIND", "UPGRADE", "longest_wait"]

STAY_BEHIND = "the sessions stay behind, in the process before"
_EVERY = 0.1  # seconds between two questions of a busy session
_PATIENCE = 5.0  # seconds for the process before to end, and for an answer
_AFTERWARDS = 0.3  # seconds that are looked at after it has ended
_QUESTION, _ANSWER = b"PING\r\n", b"+PONG\r\n"


def upgrade(load: Load, bed: Bed, pace: Pace) -> Mapping[str, float]:
    """Have `load.number` sessions, a third of them busy, taken over by a second program; return
    the longest wait of any, in ms, and what it was before. Raises Missing when they are not taken
    along: the process before is there as long as they are.
    """
    bed.start_anew()
    with bed.hold(load.number) as sessions:
        busy = sessions[::3]
        usual = longest_wait(busy, _for(pace.seconds / 3))
        old, new = bed.upgrade()
        deadline = time.monotonic() + _PATIENCE

        def goes_on() -> bool:
            return not (old.ended or new.ended) and time.monotonic() < deadline

        meanwhile = longest_wait(busy, goes_on)
        if new.ended:
            raise Missing(f"the upgrade failed: {new.last_words()}")
        if not old.ended:
            raise Missing(STAY_BEHIND)
        afterwards = longest_wait(busy, _for(_AFTERWARDS))
        # Each of the others once, too: what was lost would not answer.
        others = longest_wait([one for n, one in enumerate(sessions) if n % 3], _for(_EVERY))
    return {"gap_ms": max(meanwhile, afterwards, others) * 1000, "usual_ms": usual * 1000}


def _for(seconds: float) -> Callable[[], bool]:
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() < deadline


def longest_wait(sessions: Sequence[socket.socket], goes_on: Callable[[], bool]) -> float:
    """Ask each of `sessions` every tenth of a second, evenly spread over it, while `goes_on()` and
    at least once; return the longest wait for an answer in seconds. Raises Missing when one is
    closed, answers something else, or does not answer in 5 s.
    """
    by_number = {one.fileno(): one for one in sessions}
    numbers = list(by_number)
    asked: dict[int, float] = {}
    heard: dict[int, bytes] = {}
    longest, turn, began = 0.0, 0, time.monotonic()
    with select.epoll() as poll:
        for number in numbers:
            poll.register(number, select.EPOLLIN)
        while asked or turn < len(numbers) or goes_on():
            now = time.monotonic()
            ends = turn >= len(numbers) and not goes_on()
            while not ends and began + turn * _EVERY / len(numbers) <= now:
                number = numbers[turn % len(numbers)]
                turn += 1
                if number not in asked:  # else it waits, which is being measured
                    by_number[number].sendall(_QUESTION)
                    asked[number] = time.monotonic()
            for number, _ in poll.poll(0.001):
                heard[number] = heard.get(number, b"") + _received(by_number[number])
                if heard[number] == _ANSWER:
                    del heard[number]
                    longest = max(longest, time.monotonic() - asked.pop(number))
                elif not _ANSWER.startswith(heard[number]):
                    raise Missing(f"a session answered {heard[number][:40]!r}")
            if any(now - since > _PATIENCE for since in asked.values()):
                raise Missing(f"a session did not answer within {_PATIENCE:g} s")
    return longest


def _received(session: socket.socket) -> bytes:
    try:
        data = session.recv(64)
    except ConnectionError as error:
        raise Missing(f"a session was lost: {error.strerror}") from None
    if not data:
        raise Missing("a session was closed")
    return data


UPGRADE = Load(
    "upgrade",
    "upgrade",
    "an upgrade with 3,000 sessions, a third of them busy",
    ("gap_ms", "usual_ms"),
    upgrade,
    (("redis-server", "redis-server"),),
    topologies=("shared",),
    takes=lambda peer: peer.name == "relay",
    descriptors=6500,
    most_rounds=2,
    number=3000,
    weight=5,
)
