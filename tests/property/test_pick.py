"""What holds of pick for every set of weights, sessions and failures."""

from collections import Counter
from itertools import pairwise
from math import gcd

from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.pick import cycle, order
from ambassador.model import Endpoint, Inet, Pick

WEIGHTS = st.lists(st.integers(1, 20), min_size=1, max_size=8)


@st.composite
def situations(draw):
    weights = draw(WEIGHTS)
    endpoints = [
        Endpoint(Inet("10.0.0.1", port + 1), weight=weight, backup=draw(st.booleans()))
        for port, weight in enumerate(weights)
    ]
    facts = {
        "turn": draw(st.integers(0, 10**9)),
        "places": cycle(weights),
        "open_sessions": draw(
            st.lists(st.integers(0, 50), min_size=len(weights), max_size=len(weights))
        ),
        "failed": draw(st.lists(st.booleans(), min_size=len(weights), max_size=len(weights))),
        "chance": draw(st.floats(0, 1, exclude_max=True)),
    }
    return endpoints, facts


@given(WEIGHTS)
def test_a_cycle_holds_each_index_exactly_by_its_weight(weights):
    divisor = gcd(*weights)
    assert Counter(cycle(weights)) == {i: w // divisor for i, w in enumerate(weights)}


@given(WEIGHTS)
def test_no_index_of_a_cycle_ever_lags_a_whole_round_of_the_others(weights):
    places = cycle(weights)
    for index, weight in enumerate(weights):
        for length in range(1, len(places) + 1):
            share = length * weight / sum(weights)
            assert abs(places[:length].count(index) - share) < len(weights)


@given(situations(), st.sampled_from(Pick))
def test_every_endpoint_is_tried_once(situation, kind):
    endpoints, facts = situation
    assert sorted(order(endpoints, kind, **facts)) == list(range(len(endpoints)))


@given(situations(), st.sampled_from(Pick))
def test_evidence_goes_before_taste(situation, kind):
    endpoints, facts = situation
    ranks = [(facts["failed"][i], endpoints[i].backup) for i in order(endpoints, kind, **facts)]
    assert ranks == sorted(ranks)


@given(situations())
def test_least_never_passes_over_one_with_fewer_sessions_for_its_weight(situation):
    endpoints, facts = situation
    chosen = order(endpoints, Pick.LEAST, **facts)
    for before, after in pairwise(chosen):
        if (facts["failed"][before], endpoints[before].backup) == (
            facts["failed"][after],
            endpoints[after].backup,
        ):
            load = [facts["open_sessions"][i] / endpoints[i].weight for i in (before, after)]
            assert load[0] <= load[1]


@given(WEIGHTS, st.integers(0, 1000))
def test_a_full_round_gives_each_its_share_wherever_it_begins(weights, begin):
    endpoints = [Endpoint(Inet("10.0.0.1", p + 1), weight=w) for p, w in enumerate(weights)]
    places = cycle(weights)
    firsts = Counter(
        order(
            endpoints,
            Pick.ROUNDROBIN,
            turn=turn,
            places=places,
            open_sessions=[0] * len(weights),
            failed=[False] * len(weights),
            chance=0.0,
        )[0]
        for turn in range(begin, begin + len(places))
    )
    assert firsts == Counter(places)
