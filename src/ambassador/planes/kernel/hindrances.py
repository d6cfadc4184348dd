"""What this host does to the packets of a way: its rules and its forwarding. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ambassador.planes.kernel.evidence import Fault, Kind
from ambassador.planes.kernel.firewall import Hindrance, Packet, Rules, hindrance
from ambassador.planes.kernel.ruleset import Way

__all__ = ["Sight", "dropping", "fault", "guarding"]


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of this host. `no_ipv4` and `no_ipv6` say why packets are not forwarded, and
    `unread` why not all rules could be read.
    """

    rules: Rules = field(default_factory=Rules)
    no_ipv4: str = ""
    no_ipv6: str = ""
    unread: str = ""

    @property
    def concerned(self) -> tuple[bool, ...]:
        """The address families (True: IPv6) in which rules or forwarding may stop packets."""
        return tuple(
            ipv6
            for ipv6 in (False, True)
            if self.no_forwarding(ipv6)
            or any(True for hook in ("forward", "input") for _ in self.rules.bases(hook, ipv6))
        )

    def no_forwarding(self, ipv6: bool) -> str:
        """Return why packets of a family are not forwarded; empty where they are."""
        return self.no_ipv6 if ipv6 else self.no_ipv4


def fault(sight: Sight, way: Way, *, guards: bool) -> Fault | None:
    """Return why `way` does not work, or must not be used, on this host; None where no reason is
    known. `guards`: it must not be used where a rule guards its port.
    """
    if why := sight.no_forwarding(way.ipv6):
        return Fault(Kind.FORWARDING, why)
    for drops in dropping(sight, (way,)):
        return Fault(Kind.FIREWALL, str(drops))
    if guards and (found := guarding(sight, way)):
        return Fault(Kind.GUARDED, f"{found} (the kernel plane would bypass it)")
    return None


def guarding(sight: Sight, way: Way) -> Hindrance | None:
    """Return the guard of the port of `way`: a rule that drops, or may drop, packets of clients to
    a program of this host. Translation would bypass it.
    """
    daddr = way.host or None
    arriving = Packet("input", way.ipv6, way.proto, daddr=daddr, dport=way.port)
    return hindrance(sight.rules, arriving)


def dropping(sight: Sight, ways: Iterable[Way]) -> Iterable[Hindrance]:
    """Yield what drops, or may drop, packets of `ways`, in either direction."""
    for way in ways:
        for share in way.shares:
            there = Packet("forward", way.ipv6, way.proto, daddr=share.address, dport=share.port)
            back = Packet(
                "forward", way.ipv6, way.proto, True, saddr=share.address, sport=share.port
            )
            for packet in (there, back):
                if found := hindrance(sight.rules, packet):
                    yield found
