import pytest

from bench.figures import Figures, Spread, spread
from bench.goals import GOALS, Goal, Outcome, judge, part_of
from bench.loads import LOADS
from bench.metrics import METRICS
from bench.peers import PEERS
from tests.bench.runs import rates, sample

GET = ("shared", "get50", "rate")


def test_a_spread_is_least_median_most():
    assert spread([3, 1, 10]) == Spread(1, 3, 10)
    assert spread([1, 2]) == Spread(1, 1.5, 2)
    assert spread([]) is None


def test_ratios_are_taken_within_a_round():
    # A machine half as fast in the second round: the ratio does not change.
    figures = Figures(rates(direct=(100, 50), relay=(40, 20)))
    assert figures.ratio(*GET, "relay", "direct") == Spread(0.4, 0.4, 0.4)


def test_a_round_without_the_other_side_gives_no_ratio():
    figures = Figures(rates(direct=(100,), relay=(40, 20)))
    assert figures.ratio(*GET, "relay", "direct") == Spread(0.4, 0.4, 0.4)
    assert figures.ratio(*GET, "relay", "best") is None


def test_the_best_peer_is_not_ours_and_not_direct():
    figures = Figures(rates(direct=(100,), haproxy=(50,), nginx=(60,), relay=(90,), kernel=(95,)))
    assert figures.best(*GET) == "nginx"
    assert figures.ratio(*GET, "relay", "best") == Spread(1.5, 1.5, 1.5)


def test_the_best_peer_is_so_by_its_median_not_by_one_lucky_round():
    figures = Figures(rates(haproxy=(10, 99, 10), nginx=(60, 61, 62)))
    assert figures.best(*GET) == "nginx"


def test_less_is_better_where_the_table_says_so():
    figures = Figures(rates(haproxy=(50,), nginx=(60,)))
    assert figures.best("shared", "get50", "p99_ms") == "nginx"


def test_the_fastest_peer_is_so_by_rate_whatever_is_compared():
    # Sooner for each, and for a third of them: none that one would choose.
    samples = [*rates(haproxy=(50,), kernel=(60,)), sample("socat", 1, rate=20, p99_ms=10)]
    p99 = ("shared", "get50", "p99_ms")
    figures = Figures(samples)
    assert figures.other(*p99, "fastest") == "haproxy"
    assert figures.other(*p99, "best") == "socat"
    assert figures.ratio(*p99, "kernel", "fastest").middle == pytest.approx(50 / 60)
    assert figures.ratio(*p99, "kernel", "best").middle == pytest.approx(1000 / 60 / 10)


def test_without_peers_there_is_no_best():
    assert Figures(rates(direct=(1,))).best(*GET) is None


def test_missing_has_a_reason_with_its_places_once():
    gone = [sample("nginx", number, "not installed") for number in (1, 2)]
    gone.append(sample("nginx", 1, "not installed", load="bulk1"))
    assert Figures(gone).missing() == {"nginx: not installed": ["shared get50", "shared bulk1"]}


def goal(bound: float, at_most: bool = False) -> Goal:
    return Goal("GET over direct", "relay", *GET, "direct", bound, at_most)


@pytest.mark.parametrize(
    ("bound", "at_most", "reached"),
    [(0.4, False, True), (0.41, False, False), (0.4, True, True), (0.39, True, False)],
)
def test_a_goal_is_reached_by_the_median(bound, at_most, reached):
    assert Outcome(goal(bound, at_most), Spread(0.1, 0.4, 0.9)).reached is reached


def test_a_figure_without_a_bound_is_only_shown():
    assert Outcome(Goal("x", "relay", *GET, "direct"), Spread(1, 1, 1)).reached is None


def test_a_goal_that_was_not_measured_is_neither():
    assert Outcome(goal(1), None).reached is None
    assert {outcome.reached for outcome in judge(Figures([]))} == {None}


def test_goals_name_what_there_is():
    for entry in GOALS:
        load = LOADS[entry.load]
        assert entry.peer in PEERS
        assert load.takes(PEERS[entry.peer])
        assert entry.topology in load.topologies
        assert entry.metric in load.metrics
        assert entry.to in ("", "best", "proxy", "fastest", *PEERS)


@pytest.mark.parametrize("entry", [g for g in GOALS if g.bound is not None], ids=lambda g: g.text)
@pytest.mark.parametrize(("better", "reached"), [(1.0, True), (0.99, False)])
def test_every_goal_is_reached_at_its_bound_and_not_short_of_it(entry, better, reached):
    # Its own figure is the bound times the other side's, or a hundredth on the wrong side of it.
    figure = entry.bound / better if entry.at_most else entry.bound * better
    other = entry.to if entry.to in PEERS else "haproxy"
    place = {"load": entry.load, "topology": entry.topology}
    its = {LOADS[entry.load].metrics[0]: 1.0, entry.metric: 1.0}
    samples = [sample(entry.peer, 1, **place, **{entry.metric: figure})]
    found = judge(Figures([*samples, sample(other, 1, **place, **its)]))
    assert next(o.reached for o in found if o.goal == entry) is reached


def test_a_goal_that_could_not_be_measured_says_why():
    gone = sample("relay", 1, "they stay behind", load="upgrade")
    (outcome,) = (o for o in judge(Figures([gone])) if o.why)
    assert outcome.goal.load == "upgrade"
    assert (outcome.why, outcome.reached) == ("they stay behind", None)


def test_the_best_proxy_is_none_that_is_a_process_a_session():
    figures = Figures(rates(socat=(90,), haproxy=(50,), nginx=(60,), relay=(75,)))
    assert figures.best(*GET) == "socat"
    assert figures.other(*GET, "proxy") == "nginx"
    assert figures.ratio(*GET, "relay", "proxy") == Spread(1.25, 1.25, 1.25)


def test_goals_of_a_part_need_no_peer_that_loses_connections():
    mine = part_of("relay")
    assert {goal.peer for goal in mine} == {"relay"}
    assert not any(goal.to == "socat" for goal in mine)
    assert [g.to for g in GOALS if g.peer == "relay" and g not in mine] == ["socat"]


def test_every_metric_of_a_load_is_in_the_table():
    assert {name for load in LOADS.values() for name in load.metrics} == set(METRICS)
