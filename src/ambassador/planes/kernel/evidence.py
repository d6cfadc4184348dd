"""What is known against a way, or an address, and what follows from it. Pure.

The relay listens behind the kernel, so a client that reaches it while a way exists for it is
evidence that the way does not work. Other evidence: the relay cannot reach an endpoint, an address
does not answer when it is asked, a rule of this host drops what is forwarded. All of it ends here,
in one table: what is under suspicion is out for a while, is looked at, and is tried again; what
fails again is out for twice as long.

    state     fails              works    its time is over: looked at, and it is ...
                                          still so        well        nobody can tell
    (none)    out, said          -        -               -           -
    out       out, as long on    (none)   out, longer     trial       trial
    trial     out, longer        (none)   (none)          (none)      (none)

What a client has to try is said to be back when the trial is over, everything else at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from ambassador.model import Endpoint

__all__ = [
    "FIRST",
    "LONGEST",
    "SEEN",
    "Doubt",
    "Event",
    "Fault",
    "Kind",
    "Saying",
    "Suspect",
    "out",
    "step",
]

# As long as the relay tries a failed endpoint last (DOUBT of planes/relay/live.py), and as long as
# the table sends new clients to the relay after a refusal.
FIRST = 5.0
LONGEST = 320.0
# What has been tried for this many of its pauses without failing is well.
_PROBATION = 2


class Kind(StrEnum):
    """By what a way, or an address, does not work."""

    UNREACHABLE = "unreachable"  # an endpoint or address refuses or is silent
    FIREWALL = "firewall"  # a rule of this host drops what is forwarded
    GUARDED = "guarded"  # a rule of this host guards the port, and translation passes it by
    FORWARDING = "forwarding"  # this host forwards nothing
    LOST = "lost"  # clients come back, and nobody knows why


# What is seen by looking at this host, without a client that has to try.
SEEN = frozenset((Kind.FIREWALL, Kind.GUARDED, Kind.FORWARDING))


class Suspect(NamedTuple):
    """An address of an endpoint (empty: all of them), or the ways of one address family."""

    endpoint: Endpoint | None
    address: str = ""
    ipv6: bool | None = None


class Fault(NamedTuple):
    """What is wrong: `why` is for people."""

    kind: Kind
    why: str


class Doubt(NamedTuple):
    """What is held against a suspect: `until` when (loop time), and for how long altogether."""

    fault: Fault
    until: float
    pause: float = FIRST
    out: bool = True  # else it is tried again
    said: bool = True  # that it is out, and not yet that it is back


class Event(StrEnum):
    """What is learnt."""

    FAILS = "fails"  # a client has come back, or the relay or a look at this host tells
    WORKS = "works"  # it has been reached
    STILL = "still"  # its time is over: looked at, it is as it was
    WELL = "well"  # its time is over: looked at, it is well
    UNTOLD = "untold"  # its time is over, and only a client can tell


class Saying(StrEnum):
    """What is to be said of it."""

    NOTHING = "nothing"
    OUT = "out"
    BACK = "back"


def step(
    doubt: Doubt | None, event: Event, now: float, fault: Fault | None = None
) -> tuple[Doubt | None, Saying]:
    """Return what is held against a suspect after `event`, and what is to be said.

    `fault` comes with FAILS. What fails again and again is said once.
    """
    if event is Event.FAILS:
        assert fault is not None
        return _failed(doubt, fault, now)
    if doubt is None:
        return None, Saying.NOTHING
    back = Saying.BACK if doubt.said else Saying.NOTHING
    if event is Event.WORKS or not doubt.out:
        return None, back
    if event is Event.STILL:
        return _longer(doubt, now), Saying.NOTHING
    trial = doubt._replace(out=False, until=now + _PROBATION * doubt.pause)
    if event is Event.WELL:
        return trial._replace(said=False), back
    return trial, Saying.NOTHING


def _failed(doubt: Doubt | None, fault: Fault, now: float) -> tuple[Doubt, Saying]:
    if doubt is None:
        return Doubt(fault, now + FIRST), Saying.OUT
    said = doubt.said and doubt.fault.kind is fault.kind
    if doubt.out:
        following = doubt._replace(fault=fault, until=max(doubt.until, now + FIRST))
    else:
        following = _longer(doubt._replace(fault=fault), now)
    return following._replace(said=True), Saying.NOTHING if said else Saying.OUT


def _longer(doubt: Doubt, now: float) -> Doubt:
    # What is seen by looking is looked at again soon; it costs no client anything.
    growing = not (doubt.out and doubt.fault.kind in SEEN)
    pause = min(LONGEST, 2 * doubt.pause) if growing else doubt.pause
    return doubt._replace(until=now + pause, pause=pause, out=True)


def out(doubts: Mapping[Suspect, Doubt]) -> dict[Suspect, Doubt]:
    """Return what gets no new flows now."""
    return {suspect: doubt for suspect, doubt in doubts.items() if doubt.out}
