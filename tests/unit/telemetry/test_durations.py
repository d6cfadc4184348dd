import timeit

from ambassador.model import Proto, Reason
from ambassador.ports import SessionRecord
from ambassador.telemetry.durations import Durations, Histogram

RECORD = SessionRecord(
    "redis", Proto.TCP, "c:1", None, "10.0.0.1:6379", "relay", 1, 2, 0.002, 5.0, Reason.CLIENT, ""
)


def test_a_value_lies_in_the_first_bucket_that_it_does_not_exceed():
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 3.0):
        histogram.add(value)
    assert histogram.counts == [2, 2, 1]
    assert histogram.total == 8.0


def test_times_are_counted_by_route():
    ended = Durations()
    ended(RECORD)
    ended(RECORD._replace(route="db", address="", reason=Reason.UNREACHABLE))
    known = {name: ended.of(name) for name in ("redis", "db", "new")}
    assert sum(known["redis"].connecting.counts) == sum(known["redis"].session.counts) == 1
    assert (known["redis"].connecting.total, known["redis"].session.total) == (0.002, 5.0)
    assert sum(known["db"].connecting.counts) == 0  # it never had an upstream
    assert sum(known["db"].session.counts) == 1
    assert sum(known["new"].session.counts) == 0


def test_why_a_session_in_the_kernel_has_ended_is_counted_here():
    ended = Durations()
    ended(RECORD._replace(plane="kernel", connected_after=0.0, reason=Reason.MOVED))
    known = ended.of("redis")
    assert known.in_kernel == {Reason.MOVED: 1}
    assert sum(known.connecting.counts) == 0


def test_a_route_that_is_gone_is_forgotten():
    ended = Durations()
    ended(RECORD)
    ended.keep_only(set())
    assert sum(ended.of("redis").session.counts) == 0


def test_what_was_returned_does_not_change_any_more():
    ended = Durations()
    ended(RECORD)
    before = ended.of("redis")
    ended(RECORD)
    assert sum(before.session.counts) == 1


def test_a_session_costs_next_to_nothing():
    ended = Durations()
    seconds = min(timeit.repeat(lambda: ended(RECORD), number=2000, repeat=5)) / 2000
    assert seconds < 50e-6  # half a microsecond was measured; a session takes some 100


def test_a_route_that_comes_back_begins_anew_also_without_a_scrape_in_between():
    durations = Durations()
    durations(RECORD)
    durations.forget(RECORD.route)
    durations.forget("nobody")
    assert durations.of(RECORD.route).session.total == 0
