"""What the static part must never lose; its whole text is golden/table.nft."""

import re

from ambassador.planes.kernel.layout import skeleton, strict

TEXT = skeleton()
CHAINS = dict(re.findall(r"^  chain (\S+) \{\n(.*?)^  \}", TEXT, re.M | re.S))


def test_no_time_is_longer_than_the_kernel_can_count():
    seconds = [int(number) for number in re.findall(r"(?:\w+) : (\d+)", TEXT)]
    assert len(seconds) == 20
    assert max(seconds) * 1000 < 2**31  # jiffies at HZ=1000


def test_flows_that_are_not_ours_pass_every_hook_untouched():
    for name in ("postrouting", "passing", "leaving"):
        assert any(line.strip().startswith("ct label 107 ") for line in CHAINS[name].splitlines())


def test_an_established_connection_leaves_at_the_rule_that_counts_it():
    first, second, *_ = (line.strip() for line in CHAINS["ours"].strip().splitlines())
    assert first == "ct direction original goto up"
    assert CHAINS["up"].strip().splitlines()[0].endswith("@up_tcp accept")
    assert second.endswith("@back_tcp tcp flags & (syn | rst) == 0 accept")


def test_conntrack_is_made_to_count_without_a_packet_being_asked():
    assert CHAINS["accounting"].strip() == "ct bytes > 0"
    assert not re.search(r"(goto|jump) accounting", TEXT)


def test_loopback_and_our_own_segments_are_never_translated():
    lines = [line.strip() for line in CHAINS["output"].splitlines()]
    assert lines.index("fib daddr type local jump arrive") == len(lines) - 1
    for early in (
        "meta mark & 0xfffffffc == 0xc04 return",  # 0xc04 to 0xc07
        "ip daddr 127.0.0.0/8 return",
        "ip6 daddr ::1 return",
    ):
        assert early in lines


def test_sets_are_declared_so_that_every_nft_can_read_them():
    """A single type, or one of a verdict, nft 1.1 writes so that nft 1.0.6 crashes."""
    declared = re.findall(r"(?:set|map) (\w+) \{\s*(typeof|type) ([^;]+);", TEXT)
    assert len(declared) == 29
    for name, how, what in declared:
        assert how == "typeof" or name in {"to4", "to6"}
        if how == "type":
            assert all(" . " in part for part in what.split(" : "))
            assert "verdict" not in what


def test_no_set_takes_room_for_what_may_never_come():
    """The kernel makes room for `size` elements at once, with eight bytes and more for each."""
    assert re.findall(r"\bsize (\d+)", TEXT) == ["2"]


def test_what_belongs_to_a_cut_entry_is_tracked():
    """It is of use only where it counts as part of a connection."""
    rules = [line.strip() for line in CHAINS["poke"].strip().splitlines()]
    at = rules.index("meta mark 0xc05 goto entered")
    assert at < min(place for place, rule in enumerate(rules) if "notrack" in rule)
    assert "notrack" not in CHAINS["entered"]
    assert CHAINS["entered"].count("delete @poked") == 2  # its reset is tracked too


def test_with_strict_tracking_a_stray_segment_is_dropped_until_it_comes_again_and_again():
    first, *rules = [line.strip() for line in CHAINS["stray"].strip().splitlines()]
    text = strict()
    assert first in text
    ends = [rule for rule in rules if rule.startswith("tcp flags & fin == fin ")]
    assert [rule.endswith(" goto again") for rule in ends] == [True] * 3  # with any tracking
    for rule in rules[3:]:
        assert rule.endswith(" drop")
        assert rule.replace(" drop", " meta nftrace set 1 goto again") in text
    assert text.count("nftrace") == 3
    assert "nftrace" not in TEXT  # it costs every packet something
    assert " drop" not in text
    again = [line.strip() for line in CHAINS["again"].strip().splitlines()]
    assert again[-1] == "drop"
    assert sum(line.endswith(" accept") for line in again) == 2


def test_what_an_earlier_connection_was_told_goes_with_the_first_segment_of_a_cut():
    rules = [line.strip() for line in CHAINS["poke"].strip().splitlines()]
    assert "meta mark 0xc04 jump anew" in rules
    assert CHAINS["anew"].count("delete @felt") == 2


def test_only_rules_in_force_lead_a_client_on():
    lines = [line.strip() for line in CHAINS["arrive"].splitlines()]
    at = lines.index("ct direction != @lease return")
    assert lines[at - 1] == "ct label 106 update @lease { ct direction timeout 5s }"
    assert not any("choose" in line for line in lines[:at])


def hooked(hook):
    """The chains of type filter at `hook`, without their first line: the rules."""
    chains = (text.strip().splitlines() for text in CHAINS.values())
    return [
        [line.strip() for line in rules]
        for first, *rules in chains
        if first.strip().startswith(f"type filter hook {hook} ")
    ]


def test_a_packet_passes_as_few_hooks_as_possible():
    """A hook costs more than most rules: one to see what arrives, two around what leaves (what is
    not tracked is known before conntrack, what has passed all other rules at the end).
    """
    counts = {hook: len(hooked(hook)) for hook in ("prerouting", "input", "forward", "output")}
    assert counts == {"prerouting": 1, "input": 0, "forward": 0, "output": 2}


def test_packets_that_are_not_ours_leave_the_hook_of_what_arrives_soon():
    (passing,) = hooked("prerouting")
    assert passing[:2] == ["iif lo accept", "ct label 107 goto ours"]
    assert passing[2].startswith("tcp flags & rst == rst ")  # nothing else is asked for its label
    assert passing[3] == "ct state established accept"


def test_what_is_forwarded_for_others_is_neither_dropped_nor_answered():
    (passing,) = hooked("prerouting")
    assert passing[-1] == "ct state invalid fib daddr type local goto stray"
    assert CHAINS["answers"].strip().splitlines()[0].strip() == "fib daddr type != local accept"


def test_what_is_no_reset_and_no_segment_of_ours_leaves_output_soon():
    rules = [line.strip() for line in CHAINS["poke"].strip().splitlines()]
    assert rules[1:3] == [
        "tcp flags & rst == rst goto told",
        "meta mark & 0xfffffffc != 0xc04 accept",  # none of 0xc04 to 0xc07
    ]
    leaving = [line.strip() for line in CHAINS["leaving"].strip().splitlines()]
    assert leaving[1:] == ["ct label 107 goto ours", "tcp flags & rst == rst goto felt"]
