"""Which chains a packet meets, and what is said of those that drop it."""

import pytest

from ambassador.planes.kernel.firewall import Chain, Rules, hindrance
from tests.unit.planes.kernel.test_verdicts import ARRIVING, GUARDING, THERE, chain


def test_only_filters_of_the_hook_and_of_the_family_count():
    dropping = [
        chain(policy="drop", family="ip6"),
        chain(policy="drop", hook="input"),
        chain(policy="drop", kind="nat"),
        chain(policy="drop", hook=""),
    ]
    assert hindrance(Rules(tuple(dropping)), THERE) is None
    assert hindrance(Rules((chain(policy="drop", family="ip"),)), THERE) is not None


def test_every_chain_of_a_hook_has_to_let_it_pass():
    both = Rules((chain("accept"), chain(policy="drop", name="later")))
    assert str(hindrance(both, THERE)) == (
        "table inet fw chain later drops forwarded packets: policy drop"
    )


def test_what_drops_for_certain_is_named_before_what_may():
    docker = chain('oifname "docker0" drop', policy="drop")
    assert hindrance(Rules((docker,)), THERE).by == "policy drop"
    found = hindrance(Rules((chain('oifname "docker0" jump guarding'), GUARDING)), THERE)
    assert str(found) == (
        "table inet fw chain guarding may drop forwarded packets: tcp dport 6379 drop"
    )


def test_the_older_iptables_is_named():
    legacy = Chain("ip", "filter", "FORWARD", "forward", "filter", "drop", legacy=True)
    assert str(hindrance(Rules((legacy,)), THERE)) == (
        "table ip filter chain FORWARD (of iptables-legacy) drops forwarded packets: policy drop"
    )


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        # as firewalld from 2.0 on has each of its zones
        (('iifname "eth0" tcp dport 6379 accept', 'iifname "eth0" reject', "accept"), None),
        (('iifname "eth0" tcp dport 6380 accept', 'iifname "eth0" reject', "accept"), False),
        (('iifname "eth0" reject', 'iifname != "eth0" drop'), True),
        (('iifname "eth0" accept', "drop"), True),  # by any other interface
        (
            ('iifname { "eth0", "eth1" } accept', 'iifname != { "eth0", "eth1" } accept', "drop"),
            None,
        ),
        (('iifname vmap { "eth0" : accept, "eth1" : drop }',), False),
        (('iifname "lo" accept', "drop"), True),
        (('iifname "lo" drop',), None),
        (('iifname "eth*" drop',), False),
        (('iifname "eth*" accept', 'iifname "eth0" drop'), False),
        ((*(f'iifname "eth{n}" accept' for n in range(9)), "drop"), True),  # too many to try
    ],
)
def test_rules_about_one_interface_are_seen_together(rules, expected):
    """What drops is certain (True) or depends on where a client comes from (False)."""
    found = hindrance(Rules((chain(*rules, hook="input"),)), ARRIVING)
    assert (found and found.sure) is expected
