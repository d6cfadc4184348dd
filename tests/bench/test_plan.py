import pytest

from bench.errors import BenchError
from bench.goals import part_of
from bench.loads import LOADS
from bench.loads.load import shortcoming
from bench.options import parse
from bench.peers import PEERS
from bench.plan import left_out, plan, select


def test_nothing_chosen_is_everything():
    everything = select(())
    assert everything.whole
    assert everything.peers == tuple(PEERS)
    assert everything.loads == tuple(LOADS)
    assert everything.topologies == ("shared", "three")


def test_words_of_one_kind_leave_the_others_alone():
    chosen = select(["bulk", "shared"])
    assert chosen.loads == ("bulk1", "bulk8")
    assert chosen.topologies == ("shared",)
    assert chosen.peers == tuple(PEERS)
    assert not chosen.whole


def test_direct_is_always_there_for_the_ratios():
    assert select(["relay", "haproxy"]).peers == ("direct", "haproxy", "relay")


def test_a_group_has_the_name_of_one_of_its_loads():
    assert select(["get"]).loads == ("get50", "get50short", "get50p16", "get1")
    assert select(["get1"]).loads == ("get1",)


def test_an_unknown_part_is_named_with_what_there_is():
    with pytest.raises(BenchError, match=r"--only gets: .*three.*get.*haproxy"):
        select(["gets"])


def test_every_load_meets_every_peer_in_every_round():
    steps = plan(select(["get", "three"]), rounds=2)
    short = ("get50short",) * LOADS["get50short"].turns
    assert [(s.round, s.load.key) for s in steps] == [
        (number, key) for number in (1, 2) for key in ("get50", *short, "get50p16", "get1")
    ]
    assert all(set(step.peers) == set(PEERS) for step in steps)


def test_another_peer_comes_first_each_round():
    firsts = [step.peers[0] for step in plan(select(["get1", "shared"]), rounds=len(PEERS))]
    assert sorted(firsts) == sorted(PEERS)


def test_what_is_short_has_several_turns_in_a_round_each_with_another_first():
    steps = plan(select(["get50short", "shared", "relay", "haproxy", "nginx"]), rounds=2)
    turns = LOADS["get50short"].turns
    assert [s.number for s in steps] == list(range(1, 2 * turns + 1))
    assert [s.round for s in steps] == [1] * turns + [2] * turns
    assert [s.peers[0] for s in steps[:4]] == ["direct", "haproxy", "nginx", "relay"]


def test_the_relay_alone_is_what_its_goals_need():
    chosen = select(["relay"])
    assert chosen.peers == ("haproxy", "nginx", "envoy", "relay")
    measured = {(s.topology, s.load.key, p) for s in plan(chosen, 1) for p in s.peers}
    for goal in part_of("relay"):
        assert (goal.topology, goal.load, "relay") in measured
        if goal.to:
            assert (goal.topology, goal.load, "nginx") in measured
    wanted = {(goal.topology, goal.load) for goal in part_of("relay")}
    assert {(topology, load) for topology, load, _ in measured} == wanted


def test_the_relay_in_one_topology_is_its_goals_there():
    steps = plan(select(["relay", "three"]), 1)
    assert {(s.topology, s.load.key) for s in steps} == {
        ("three", "get50"),
        ("three", "get50short"),
    }


def test_the_relay_with_a_load_or_a_peer_is_what_these_words_say():
    assert select(["relay", "get1"]).peers == ("direct", "relay")
    assert select(["relay", "haproxy"]).loads == tuple(LOADS)
    assert not select(["relay", "get1"]).places


def test_a_part_says_what_it_leaves_out():
    lines = left_out(select(["relay"]))
    assert "without direct, socat, our relay, no workers, our kernel plane" in lines[0]
    assert "left out of all loads: sessions, routes, counting" in lines
    assert any(line.startswith("left out of three: ") and "bulk" in line for line in lines)
    assert not any("three" in line for line in left_out(select(["relay", "shared"])))
    assert left_out(select(())) == left_out(select(["get"])) == []


def test_a_part_takes_shorter_measurements_unless_told():
    assert parse(["--only", "relay"]).seconds == 0.75
    assert parse(["--only", "relay", "--seconds", "1"]).seconds == 1
    assert parse(["--only", "get"]).seconds == parse([]).seconds == 1.5


def test_a_load_leaves_out_whom_it_says_nothing_about():
    by_load = {step.load.key: step.peers for step in plan(select(["shared"]), 1)}
    assert "direct" not in by_load["start"]
    assert "socat" not in by_load["sessions9000"]
    assert "envoy" not in by_load["routes5000"]


def test_slow_and_steady_loads_are_not_in_every_round():
    rounds = {step.round for step in plan(select(["routes5000"]), 5)}
    assert rounds == {1, 2}


def test_a_load_that_this_machine_cannot_carry_says_why():
    assert shortcoming(LOADS["sessions9000"], 4096) == (
        "needs 18500 open files in a process, 4096 are allowed (ulimit -n)"
    )


def test_a_tool_that_is_not_there_is_named_with_its_package(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert shortcoming(LOADS["bulk1"], 20000) == ("iperf3 is not installed: apt-get install iperf3")


@pytest.mark.parametrize(
    ("arguments", "verb"),
    [
        ([], "measure"),
        (["--compare"], "compare"),
        (["--compare", "old.json"], "compare"),
        (["document"], "document"),
        (["run", "haproxy"], "run"),
    ],
)
def test_what_is_asked_for(arguments, verb):
    assert parse(arguments).verb == verb


def test_a_part_does_not_overwrite_the_document():
    assert parse([]).into.name == "docs"
    assert parse(["--only", "get"]).into.parts[-2:] == ("bench", "part")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["run"], "run needs a PEER"),
        (["run", "direct"], "invalid choice"),
        (["document", "haproxy"], "only run takes one"),
        (["--rounds", "0"], "not from 1 to 99"),
        (["--seconds", "a"], "invalid"),
        (["document", "--compare"], "two things"),
    ],
)
def test_wrong_usage(arguments, why, capsys):
    with pytest.raises(SystemExit) as stopped:
        parse(arguments)
    assert stopped.value.code == 2
    assert why in capsys.readouterr().err
