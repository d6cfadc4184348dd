"""The situations of real hosts, and where each is a test in both planes: by protocol and family."""

import ast
from pathlib import Path

import pytest

CONFORMANCE = Path(__file__).parents[1] / "conformance"
ALL = "TCP and UDP, IPv4 and IPv6"
_SERVED = f"{ALL}: test_firewalls.test_every_client_is_served_at_once_and_the_reason_is_told"
_DATAGRAMS = "UDP IPv4 and IPv6: test_firewalls."
_NFT = f"{ALL}: test_broken_nft.test_what_is_answered_is_what_clients_meet"
# Each line: which protocols and families, and the test. Which rulesets, causes or damages, and both
# families where a test has them in turn, are its parameters.
SITUATIONS = {
    "forward drop (nft, reject, iptables-nft, iptables-legacy)": [_SERVED],
    "ip_forward off at run time": [_SERVED],
    "flush of the ruleset, of our table, of one map": [
        "TCP IPv4 and IPv6: test_flush.test_it_is_put_back_within_a_second_and_open_sessions_go_on",
        "UDP IPv4 and IPv6: test_flush.test_datagrams_go_on_after_a_flush",
    ],
    "dead second address": [
        "TCP IPv4 and IPv6: "
        "test_firewalls.test_of_two_addresses_the_silent_one_costs_only_the_first_clients_a_second",
        f"{_DATAGRAMS}test_of_two_addresses_of_datagrams_the_one_nobody_has_is_found_out",
    ],
    "dead family": [
        "TCP IPv4 and IPv6: test_firewalls.test_a_family_that_leads_nowhere_is_served_by_the_other",
        f"{_DATAGRAMS}test_a_family_of_datagrams_that_leads_nowhere_is_served_by_the_other",
    ],
    "refused UDP": [f"{_DATAGRAMS}test_a_datagram_endpoint_that_refuses_is_found_out"],
    "vanished entries": [
        "TCP IPv4 and IPv6: test_vanished.test_nobody_waits_whoever_speaks_first",
        "UDP IPv4 and IPv6: "
        "test_vanished.test_a_client_of_datagrams_that_only_hears_goes_on_hearing",
    ],
    "invalid segment": [  # of TCP alone
        "TCP IPv4 and IPv6: test_invalid.test_a_segment_out_of_the_window_ends_no_connection",
        "TCP IPv4 and IPv6: test_invalid.test_nor_do_many_that_come_one_after_the_other",
    ],
    "orphaned flows": [
        f"{ALL}: test_orphans.test_no_flow_of_a_former_one_goes_on_to_an_endpoint_that_left"
    ],
    "a cut behind a firewall": [
        "TCP IPv4 and IPv6: test_cut_behind_firewall.test_a_cut_is_felt_at_once_by_both_sides",
        "UDP IPv4 and IPv6: "
        "test_cut_behind_firewall.test_a_flow_of_datagrams_is_cut_and_its_client_begins_another",
    ],
    "an nft that fails once, fails, hangs or is gone": [
        _NFT,
        f"{ALL}: test_broken_nft.test_what_nobody_waits_for_comes_true_when_nft_works_again",
    ],
    "conntrack is full": [
        f"{ALL}: test_full.test_what_is_open_goes_on_and_why_nobody_new_is_served_is_told"
    ],
}


def functions(module):
    tree = ast.parse((CONFORMANCE / f"{module}.py").read_text())
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_situation_has_its_tests_in_both_planes(situation):
    covered = set()
    for line in SITUATIONS[situation]:
        what, _, name = line.partition(": ")
        module, _, function = name.partition(".")
        found = functions(module)[function]
        asked = {one.arg for one in found.args.args}
        assert asked & {"plane", "ambassador", "scene"}  # fixtures that come once a plane
        assert "KERNEL" not in {one.id for one in found.decorator_list if isinstance(one, ast.Name)}
        assert "IPv4" in what
        assert "IPv6" in what
        covered |= {one for one in ("TCP", "UDP") if one in what}
    alone = {"invalid segment": {"TCP"}, "refused UDP": {"UDP"}}
    assert covered == alone.get(situation, {"TCP", "UDP"})
