"""Ask the same question again and again, at little cost.

Docker's DNS gives a TTL of 600 s for the address of a container, and may give the address to
another container within one second. So such a name is asked for every one or two seconds. With
dnspython that takes about 2 ms of a core for each name; here an answer that is byte for byte the
same as before (except its id) takes about 50 microseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

__all__ = ["Repeat", "Repeater"]

_TIME = 0.4  # seconds for an answer; then the name is asked for in full
_RARELY = 4
_AT_ONCE = 64  # answers read in one turn of the loop
_LONGEST = 0.001  # seconds; an answer that has changed takes 0.5 ms
_Told = Callable[[bool], None]


@dataclass(slots=True)
class Repeat:
    """The questions (without their id) that one name server has answered, and the addresses in each
    answer: empty where it said that there are none, or no such name; None where it said neither
    (REFUSED, SERVFAIL).
    """

    server: str
    port: int
    questions: Sequence[bytes]
    addresses: Sequence[frozenset[str] | None]
    known: list[object] = field(default_factory=list)  # the answers as received
    turn: int = 0  # how often it was asked

    def due(self) -> list[int]:
        """Return the indexes of the questions to ask this time: a question whose answer had no
        addresses (IPv6, in most networks) is asked every fourth time.
        """
        self.turn += 1
        rare = self.turn % _RARELY == 0
        return [place for place, had in enumerate(self.addresses) if had or rare]


class Repeater:
    """Asks on one socket for each name server; closed with `close`."""

    def __init__(self) -> None:
        self._channels: dict[tuple[str, int], _Channel] = {}

    def ask(self, repeat: Repeat, told: _Told) -> None:
        """Ask, and call `told` once: with true when every answer is the same as before, else
        (another answer, or none in time) with false.
        """
        place = (repeat.server, repeat.port)
        channel = self._channels.get(place)
        if channel is None:
            try:
                channel = self._channels[place] = _Channel(place)
            except OSError:
                told(False)
                return
        channel.ask(repeat, told)

    def close(self) -> None:
        """Ask no more; no `told` is called."""
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()


@dataclass(slots=True, eq=False)
class _Round:
    repeat: Repeat
    told: _Told
    left: int
    timer: asyncio.TimerHandle | None = None
    over: bool = False

    def end(self, same: bool) -> None:
        if not self.over:
            self.over = True
            if same and self.timer is not None:  # else it drops the missing answers
                self.timer.cancel()
            self.told(same)


class _Channel:
    def __init__(self, place: tuple[str, int]) -> None:
        self._loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.connect(place)
        except OSError:
            self._socket.close()
            raise
        self._asked: dict[int, tuple[_Round, int]] = {}
        self._loop.add_reader(self._socket.fileno(), self._read)

    def ask(self, repeat: Repeat, told: _Told) -> None:
        places = repeat.due()
        one = _Round(repeat, told, len(places))
        numbers = []
        for place in places:
            question = repeat.questions[place]
            number = random.getrandbits(16)
            while number in self._asked:
                number = random.getrandbits(16)
            self._asked[number] = (one, place)
            numbers.append(number)
            with contextlib.suppress(OSError):  # an unsent question gets no answer
                self._socket.send(number.to_bytes(2, "big") + question)
        one.timer = self._loop.call_later(_TIME, self._too_late, one, numbers)

    def close(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        for one, _ in self._asked.values():
            one.over = True
            if one.timer is not None:
                one.timer.cancel()

    def _too_late(self, one: _Round, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._asked.pop(number, None)
        one.end(False)

    def _read(self) -> None:
        over = time.monotonic() + _LONGEST
        for _ in range(_AT_ONCE):
            if time.monotonic() > over:  # the loop calls this again for the rest
                return
            try:
                answer = self._socket.recv(65535)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error for one question (udp(7)), which will time out
                continue
            found = self._asked.pop(int.from_bytes(answer[:2], "big"), None)
            if found is None:
                continue
            one, place = found
            if not _is_known(answer, one.repeat, place):
                one.end(False)
                continue
            one.left -= 1
            if not one.left:
                one.end(True)


def _is_known(answer: bytes, repeat: Repeat, place: int) -> bool:
    """Return whether `answer` to the question with the index `place` is the same as before."""
    mark = _mark(answer, repeat.questions[place])
    if len(repeat.known) <= place:
        repeat.known += [None] * (place + 1 - len(repeat.known))
    if repeat.known[place] == mark:
        return True
    if _addresses(answer) != repeat.addresses[place]:
        return False
    repeat.known[place] = mark
    return True


def _mark(answer: bytes, question: bytes) -> object:
    """Return all of `answer` except its id. Where several records are equally long, their order
    does not count: Docker's DNS shuffles them.
    """
    count = int.from_bytes(answer[6:8], "big")
    begin = len(question) + 2
    length = len(answer) - begin
    if count > 1 and length > 0 and length % count == 0:
        size = length // count
        records = sorted(answer[at : at + size] for at in range(begin, len(answer), size))
        return answer[2:begin], tuple(records)
    return answer[2:]


def _addresses(answer: bytes) -> frozenset[str] | None:
    """Return the addresses in `answer`; None where it does not say whether there are any."""
    import dns.exception  # noqa: PLC0415 (a question that is repeated was asked by dnspython)
    import dns.flags  # noqa: PLC0415
    import dns.message  # noqa: PLC0415
    import dns.rcode  # noqa: PLC0415
    import dns.rdatatype  # noqa: PLC0415

    try:
        message = dns.message.from_wire(answer)
    except (dns.exception.DNSException, ValueError):
        return None
    if message.rcode() == dns.rcode.NXDOMAIN:
        return frozenset()
    if message.rcode() != dns.rcode.NOERROR or message.flags & dns.flags.TC:
        return None
    kinds = (dns.rdatatype.A, dns.rdatatype.AAAA)
    return frozenset(
        record.to_text() for rrset in message.answer if rrset.rdtype in kinds for record in rrset
    )
