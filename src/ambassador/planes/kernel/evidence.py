"""Evidence that a way, or an address, does not work, and what follows from it. Pure.

The relay listens behind the kernel, so a client that reaches it although there is a way for it is
evidence that the way does not work. Other evidence: the relay cannot reach an endpoint, an address
does not answer a probe, a rule of this host drops forwarded packets. For all evidence there is one
table: a suspect (a way or an address) is out of use for a while, is looked at, and is tried again;
if it fails again, it is out for twice as long.

    state     fails              works    its time is over: looked at, and it is ...
                                          still so        well        not known
    (none)    out, said          -        -               -           -
    out       out, as long on    (none)   out, longer     trial       trial
    trial     out, longer        (none)   (none)          (none)      (none)

"Said" is: logged. Where only a client can show whether it works, "back" is logged when the trial is
over; else at once.
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

# As long as the relay tries a failed endpoint last (DOUBT of planes/relay/doubts.py), and as the
# table sends new clients to the relay after a refusal (`down_tcp` of layout.py).
FIRST = 5.0
LONGEST = 320.0
# A suspect that is tried for so many of its pauses without failing works again.
_PROBATION = 2


class Kind(StrEnum):
    """Why a way, or an address, does not work."""

    UNREACHABLE = "unreachable"  # an endpoint or address refuses or is silent
    FIREWALL = "firewall"  # a rule of this host drops forwarded packets
    GUARDED = "guarded"  # a rule of this host guards the port, and translation bypasses it
    FORWARDING = "forwarding"  # this host forwards no packets
    LOST = "lost"  # clients come to the relay, and the reason is not known


# Faults that are seen by looking at this host, without a client that tries.
SEEN = frozenset((Kind.FIREWALL, Kind.GUARDED, Kind.FORWARDING))


class Suspect(NamedTuple):
    """What may not work: an address of an endpoint (empty: all of its addresses), or the ways of a
    route in one address family.
    """

    endpoint: Endpoint | None
    address: str = ""
    ipv6: bool | None = None


class Fault(NamedTuple):
    """What is wrong; `why` is the text for logs."""

    kind: Kind
    why: str


class Doubt(NamedTuple):
    """A doubt about a suspect, `until` then (loop time), for `pause` seconds."""

    fault: Fault
    until: float
    pause: float = FIRST
    out: bool = True  # out of use; else it is being tried again
    said: bool = True  # it is logged that it is out, and not yet that it is back


class Event(StrEnum):
    """What is learnt."""

    FAILS = "fails"  # a client came to the relay, or the relay or a look at this host shows it
    WORKS = "works"  # it has been reached
    STILL = "still"  # its time is over, and a look shows that it does not work yet
    WELL = "well"  # its time is over, and a look shows that it works
    UNTOLD = "untold"  # its time is over, and only a client can show whether it works


class Saying(StrEnum):
    """What is to be logged."""

    NOTHING = "nothing"
    OUT = "out"
    BACK = "back"


def step(
    doubt: Doubt | None, event: Event, now: float, fault: Fault | None = None
) -> tuple[Doubt | None, Saying]:
    """Return the doubt about a suspect after `event`, and what is to be logged.

    `fault` comes with FAILS. A suspect that fails again and again is logged once.
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
    # A fault that is seen by a look at this host is looked at again soon: that costs no client
    # anything.
    growing = not (doubt.out and doubt.fault.kind in SEEN)
    pause = min(LONGEST, 2 * doubt.pause) if growing else doubt.pause
    return doubt._replace(until=now + pause, pause=pause, out=True)


def out(doubts: Mapping[Suspect, Doubt]) -> dict[Suspect, Doubt]:
    """Return the suspects that get no new flows now, with their doubts."""
    return {suspect: doubt for suspect, doubt in doubts.items() if doubt.out}
