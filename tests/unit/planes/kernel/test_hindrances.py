"""What a host does to the packets of a way."""

import pytest

from ambassador.model import Proto
from ambassador.planes.kernel.evidence import Kind
from ambassador.planes.kernel.firewall import Chain, Rule, Rules
from ambassador.planes.kernel.hindrances import Sight, fault
from ambassador.planes.kernel.ruleset import Share, Way

WAY = Way(Proto.TCP, 6379, False, (Share("10.0.0.1", 7000), Share("10.0.0.2", 7000)))
WAY6 = Way(Proto.UDP, 53, True, (Share("fd00::1", 53),))


def sight(*rules, hook="forward", policy="accept", **more):
    chain = Chain("inet", "fw", "c", hook, "filter", policy, tuple(map(Rule, rules)))
    return Sight(Rules((chain,)), **more)


@pytest.mark.parametrize(
    ("seen", "way", "kind"),
    [
        (Sight(), WAY, None),
        (Sight(no_ipv4="ip_forward is 0"), WAY, Kind.FORWARDING),
        (Sight(no_ipv4="ip_forward is 0"), WAY6, None),
        (Sight(no_ipv6="forwarding is 0"), WAY6, Kind.FORWARDING),
        (sight(policy="drop"), WAY, Kind.FIREWALL),
        (sight(policy="drop"), WAY6, Kind.FIREWALL),
        (sight("ip daddr 10.0.0.2 drop"), WAY, Kind.FIREWALL),
        (sight("ct state new ip daddr 10.0.0.3 drop"), WAY, None),
        # accepted on the way there, dropped on the way back
        (sight("ct state new accept", policy="drop"), WAY, Kind.FIREWALL),
        (sight("ct state new,established accept", policy="drop"), WAY, None),
        (sight("tcp dport 6379 drop", hook="input"), WAY, Kind.GUARDED),
        (sight("tcp dport 22 drop", hook="input"), WAY, None),
    ],
)
def test_what_is_against_a_way(seen, way, kind):
    found = fault(seen, way, guards=True)
    assert (found.kind if found else None) is kind


def test_a_guarded_port_is_passed_by_where_the_kernel_is_demanded():
    seen = sight("tcp dport 6379 drop", hook="input")
    assert fault(seen, WAY, guards=False) is None
    assert fault(seen, WAY, guards=True).why == (
        "table inet fw chain c drops packets to this host: tcp dport 6379 drop "
        "(the kernel plane would bypass it)"
    )


def test_only_families_with_rules_or_without_forwarding_are_looked_at():
    assert Sight().concerned == ()
    assert Sight(no_ipv6="off").concerned == (True,)
    assert sight().concerned == (False, True)
    assert sight(hook="output").concerned == ()
