"""What was counted is the same after it was written down, and nothing is lost when it is added."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.errors import RunError
from ambassador.handover.counters import HandedCounters, add, counters_of, lasting, status_of
from ambassador.model import Endpoint, Inet, Proto, Reason, Route, Unix
from ambassador.ports import EndpointMet, RouteStatus
from ambassador.telemetry.durations import Times

numbers = st.integers(0, 2**50)
keys = st.tuples(
    st.sampled_from(list(Proto)),
    st.builds(Inet, st.sampled_from(["", "127.0.0.1", "fd00::1"]), st.integers(1, 65535)),
) | st.just((Proto.TCP, Unix("/run/a b.sock")))
names = st.sampled_from(["opened", "open", "open ", "closed cut", "ended x", "met_opened "])


def with_names(keys):
    """Return counters of the routes `keys`; those of endpoints have URLs of their protocol."""
    values = st.dictionaries(names, numbers.map(float))
    return st.fixed_dictionaries(
        {
            (proto, listen): values.map(
                lambda found, proto=proto: {
                    f"{name}{proto}://a:1" if name.endswith(" ") else name: value
                    for name, value in found.items()
                }
            )
            for proto, listen in keys
        }
    )


whole_counters = st.lists(keys, max_size=4).flatmap(with_names)
plain_names = st.sampled_from(["opened", "open", "closed cut", "ended x"])
ENDS = Inet("db", 1), Inet("10.0.0.1", 2), Unix("/a")
ROUTE = Route("r", Inet("", 1), tuple(map(Endpoint, ENDS)))


@given(whole_counters, whole_counters, st.lists(whole_counters, max_size=3))
def test_it_is_read_as_it_was_written(gone, live, others):
    handed = HandedCounters(gone, live, others)
    assert HandedCounters.decode(handed.encode(), kernel=True) == handed


@given(st.dictionaries(plain_names, numbers), st.dictionaries(plain_names, numbers))
def test_numbers_of_rules_count_only_where_the_rules_do_not(plain, rules):
    key = (Proto.TCP, Inet("", 1))
    whole = plain | {f"kernel {name}": value for name, value in rules.items()}
    text = HandedCounters({key: whole}).encode()
    assert HandedCounters.decode(text, kernel=True).past == {key: plain}
    sums = {name: plain.get(name, 0) + rules.get(name, 0) for name in {**plain, **rules}}
    assert HandedCounters.decode(text, kernel=False).past == {key: sums}


met = st.builds(
    EndpointMet,
    opened=numbers,
    to_upstream=numbers,
    to_client=numbers,
    failures=st.integers(1, 2**50),
)


@given(
    *(numbers,) * 6,
    st.dictionaries(st.sampled_from(list(Reason)), st.integers(1, 2**50)),
    st.dictionaries(st.sampled_from(["rst", "no answer"]), st.integers(1, 2**50)),
    st.dictionaries(st.sampled_from(ENDS), st.integers(1, 2**50)),
    st.dictionaries(st.sampled_from(ENDS), met),
)
def test_a_status_is_the_same_when_it_comes_back(
    a, b, c, d, e, f, closed, ways_out, by_endpoint, met
):
    status = RouteStatus(
        ROUTE,
        "",
        "",
        *(a, b, c, d, e),
        held_total=f,
        closed=closed,
        ways_out=ways_out,
        open_by_endpoint=by_endpoint,
        met=met,
    )
    counters = counters_of(status)
    assert status_of(ROUTE, counters) == status
    assert {name for name in counters if name not in lasting(counters)} == {
        name for name in counters if name == "open" or name.startswith("open ")
    }


def test_every_number_of_a_status_comes_back():
    """Of a number that somebody adds to RouteStatus, too."""
    numbers = {field.name: 7 for field in fields(RouteStatus)}
    status = RouteStatus(
        **{
            **numbers,
            "route": ROUTE,
            "plane": "",
            "why": "",
            "held": 0,  # of this moment, and never handed over
            "alike": "",  # a text: seen anew by whoever takes over
            "closed": {Reason.CUT: 7},
            "turned_away": {Reason.DENIED: 7},
            "ways_out": {"rst": 7},
            "open_by_endpoint": {ENDS[0]: 7},
            "met": {ENDS[0]: EndpointMet(7, 7, 7, 7)},
        }
    )
    assert status_of(ROUTE, counters_of(status)) == status


@given(whole_counters, whole_counters)
def test_adding_loses_nothing(one, other):
    both = (*one.values(), *other.values())
    total = sum(value for counters in both for value in counters.values())
    whole = {}
    add(whole, one)
    add(whole, other)
    assert sum(value for counters in whole.values() for value in counters.values()) == total


@given(st.lists(st.floats(0, 1e6)), st.lists(st.floats(0, 1e6)))
def test_histograms_go_on_in_another_process(before, after):
    before_us, now, whole = Times(), Times(), Times()
    for value in before:
        before_us.session.add(value)
        whole.session.add(value)
    for value in after:
        now.session.add(value)
        whole.session.add(value)
    before_us.in_kernel[Reason.CUT] = len(before)
    now.add(before_us.counters())
    assert now.session.counts == whole.session.counts
    assert now.session.total == pytest.approx(whole.session.total)
    assert now.in_kernel[Reason.CUT] == len(before)


@given(st.binary(max_size=30))
def test_rubbish_is_refused(text):
    with pytest.raises(RunError, match="make no sense"):
        HandedCounters.decode(text, kernel=True)
