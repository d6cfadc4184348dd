"""The rule in chains of others: by which program, and where."""

import pytest

from ambassador.planes.kernel.allowance import adding, ours, removing
from ambassador.planes.kernel.firewall import Chain, Rule

OURS = Rule("ct label 107 accept", "7")
BY_IPTABLES = Rule("ct label 107 counter accept", "8")


def chain(family="inet", table="fw", name="f", rules=(), *, legacy=False):
    return Chain(family, table, name, "forward", "filter", "drop", tuple(rules), legacy)


@pytest.mark.parametrize(
    ("where", "program"),
    [
        (chain(), "nft"),
        (chain("ip", "mine", "FORWARD"), "nft"),
        (chain("ip", "filter", "forward"), "nft"),
        (chain("ip", "filter", "FORWARD"), "iptables-nft"),
        (chain("ip6", "filter", "FORWARD"), "ip6tables-nft"),
        (chain("ip", "filter", "FORWARD", legacy=True), "iptables-legacy"),
        (chain("ip6", "filter", "FORWARD", legacy=True), "ip6tables-legacy"),
    ],
)
def test_a_table_gets_its_rule_by_the_program_that_has_written_it(where, program):
    assert adding(where)[0] == program


def test_the_rule_matches_what_we_have_translated_and_nothing_else():
    assert " ".join(adding(chain())) == (
        'nft insert rule inet fw f ct label 107 accept comment "ambassador"'
    )
    assert " ".join(adding(chain("ip", "filter", "FORWARD"))) == (
        "iptables-nft -w 5 -t filter -I FORWARD 1 -m connlabel --label 107 -j ACCEPT"
    )


def test_only_our_own_rules_are_taken_away_each_of_them():
    other = Rule("ct label 106 accept", "1")
    dropping = Rule("ct label 107 drop", "2")
    assert ours(chain(rules=[other, dropping])) == []
    assert (
        list(removing(chain(rules=[other, OURS, OURS])))
        == [("nft", "delete", "rule", "inet fw f", "handle", "7")] * 2
    )
    legacy = chain("ip", "filter", "FORWARD", [BY_IPTABLES], legacy=True)
    assert [" ".join(one) for one in removing(legacy)] == [
        "iptables-legacy -w 5 -t filter -D FORWARD -m connlabel --label 107 -j ACCEPT"
    ]
