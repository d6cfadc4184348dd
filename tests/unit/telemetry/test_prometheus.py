"""The text, read back by Prometheus' own parser and compared with the table."""

import asyncio
import time
from collections import Counter
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ambassador.core.results import FollowView, SourceView, SwitchCount
from ambassador.model import Admin, Endpoint, Health, Inet, Reason, Route
from ambassador.ports import RouteStatus
from ambassador.tasks import spawn
from ambassador.telemetry.durations import Durations
from ambassador.telemetry.metrics import METRICS
from ambassador.telemetry.prometheus import Facts, MetricsText
from tests.unit.telemetry.test_durations import RECORD

ONE = Endpoint(Inet("db1", 6379), health=Health.UNHEALTHY)
TWO = Endpoint(Inet("db2", 6379), admin=Admin.DRAIN, weight=2)
STATUS = RouteStatus(
    Route("redis", Inet("", 6379), (ONE, TWO)),
    plane="kernel",
    why="",
    opened=20,
    open=3,
    refused=2,
    to_upstream=100,
    to_client=2000,
    held=1,
    held_total=4,
    closed={Reason.CLIENT: 5, Reason.UNREACHABLE: 2},
    open_by_endpoint={ONE.address: 2},
)
LABELS = {name.removesuffix("_total"): metric.labels for name, metric in METRICS.items()}
GOOD = SourceView("environment", 1000.0)


class Scrape:
    """What is asked for again and again; `facts` may be changed in between."""

    def __init__(self, *routes, sources=(GOOD,), ready=True):
        self.ended = Durations()
        self.facts = Facts(ready, routes, sources)
        self._metrics = MetricsText(self._now, self.ended)

    async def _now(self):
        return self.facts

    def __call__(self):
        text = b"".join(asyncio.run(self._metrics())).decode()
        self.kinds = {}
        values, self.labels = {}, {}
        for family in text_string_to_metric_families(text):
            self.kinds[family.name] = (family.type, family.documentation)
            for sample in family.samples:
                assert list(sample.labels) == sorted(sample.labels)  # as 0.1 wrote them
                known = tuple(label for label in sample.labels if label != "le")
                self.labels.setdefault(family.name, set()).add(known)
                order = [*LABELS.get(family.name, ()), "le"]
                labels = (sample.labels[label] for label in order if label in sample.labels)
                values[sample.name, *labels] = sample.value
        return values


@pytest.fixture
def values():
    scrape = Scrape(STATUS)
    scrape.ended(RECORD)
    scrape.ended(RECORD._replace(plane="kernel", reason=Reason.MOVED, total=0.005))
    return scrape()


def test_every_metric_of_the_table_is_there_as_the_table_says():
    scrape = Scrape(STATUS)
    scrape()
    assert set(scrape.kinds) == {name.removesuffix("_total") for name in METRICS}
    for name, metric in METRICS.items():
        kind, documentation = scrape.kinds[name.removesuffix("_total")]
        assert kind == metric.kind
        if name.startswith("ambassador_"):
            assert documentation == metric.help


def test_the_numbers_of_a_route(values):
    assert values["ambassador_route_info", "redis", "tcp", ":6379", "kernel"] == 1
    for name, value in {
        "sessions_opened_total": 20,
        "sessions_open": 3,
        "sessions_refused_total": 2,
        "sessions_held": 1,
        "sessions_ever_held_total": 4,
    }.items():
        assert values[f"ambassador_{name}", "redis"] == value
    assert values["ambassador_bytes_total", "redis", "to_upstream"] == 100
    assert values["ambassador_bytes_total", "redis", "to_client"] == 2000


def test_all_sessions_that_ended_are_counted_by_reason(values):
    closed = {k[2]: v for k, v in values.items() if k[0] == "ambassador_sessions_closed_total"}
    assert closed == {"client": 5, "unreachable": 2, "moved": 1, "unknown": 9}
    assert sum(closed.values()) == 20 - 3


def test_histograms(values):
    bucket = "ambassador_session_seconds_bucket"
    assert [values[bucket, "redis", bound] for bound in ("0.001", "0.01", "1.0", "10.0")] == [
        *(0, 1, 1, 2),
    ]
    assert values[bucket, "redis", "+Inf"] == 2
    assert values["ambassador_session_seconds_count", "redis"] == 2
    assert values["ambassador_session_seconds_sum", "redis"] == pytest.approx(5.005)
    assert values["ambassador_connect_seconds_bucket", "redis", "0.0025"] == 1
    assert values["ambassador_connect_seconds_count", "redis"] == 1


def test_endpoints(values):
    one, two = "tcp://db1:6379", "tcp://db2:6379?weight=2"
    assert values["ambassador_endpoint_sessions_open", "redis", one] == 2
    assert values["ambassador_endpoint_sessions_open", "redis", two] == 0
    assert values["ambassador_endpoint_usable", "redis", one] == 0
    assert values["ambassador_endpoint_health", "redis", one, "unhealthy"] == 1
    assert values["ambassador_endpoint_health", "redis", one, "healthy"] == 0
    assert values["ambassador_endpoint_admin", "redis", two, "drain"] == 1
    assert values["ambassador_endpoint_admin", "redis", two, "ready"] == 0


def test_a_source_that_is_wrong_is_seen():
    assert Scrape()()["ambassador_reload_successful",] == 1
    wrong = SourceView("file", 2000.0, error="line 4")
    values = Scrape(sources=(GOOD, wrong), ready=False)()
    assert values["ambassador_reload_successful",] == 0
    assert values["ambassador_reload_last_success_timestamp_seconds",] == 1000.0
    assert values["ambassador_ready",] == 0


def test_connection_tracking_is_told_of_where_it_is_used():
    scrape = Scrape(STATUS)
    assert ("ambassador_conntrack_entries",) not in scrape()
    scrape.facts = replace(scrape.facts, conntrack=(30, 40))
    values = scrape()
    assert values["ambassador_conntrack_entries",] == 30
    assert values["ambassador_conntrack_limit",] == 40


def test_the_processes_that_carry_are_counted():
    scrape = Scrape()
    assert scrape()["ambassador_workers",] == 0
    scrape.facts = replace(scrape.facts, workers=2)
    assert scrape()["ambassador_workers",] == 2


def test_a_counter_never_sinks():
    scrape = Scrape(STATUS)
    key = ("ambassador_sessions_closed_total", "redis", "unknown")
    assert scrape()[key] == 10
    scrape.facts = replace(scrape.facts, routes=(replace(STATUS, open=9),))
    assert scrape()[key] == 10
    scrape.facts = replace(scrape.facts, routes=())
    assert key not in scrape()


def test_a_name_cannot_break_the_text():
    odd = replace(STATUS, route=replace(STATUS.route, name='a"b\\c\nd{}'))
    assert Scrape(odd)()["ambassador_sessions_open", 'a"b\\c\nd{}'] == 3


def test_labels_are_those_of_the_table_in_the_order_of_their_names():
    scrape = Scrape(STATUS)
    followed = FollowView("a", "b", "the authority", "c", 5.0, 2, 3, (), (SwitchCount("d", 4),))
    scrape.facts = replace(scrape.facts, followed={"redis": followed})
    scrape()
    for name, metric in METRICS.items():
        for labels in scrape.labels.get(name.removesuffix("_total"), ()):
            assert labels == tuple(sorted(metric.labels)), name


def test_a_page_of_thousands_of_routes_is_made_beside_others():
    routes = [replace(STATUS, route=replace(STATUS.route, name=f"r{n}")) for n in range(2000)]
    longest = 0.0

    async def main():
        nonlocal longest
        task = spawn(MetricsText(facts, Durations())(), "scrape")
        while not task.done():
            before = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - before)
        return await task

    async def facts():
        return Facts(True, routes, ())

    pieces = asyncio.run(main())
    assert max(map(len, pieces)) < 100_000
    assert sum(map(len, pieces)) > 5_000_000
    assert longest < 0.02


def test_the_sum_of_what_planes_and_records_say_is_never_counted_twice():
    scrape = Scrape(replace(STATUS, opened=8, open=0, closed=Counter({Reason.CLIENT: 7})))
    scrape.ended(RECORD._replace(plane="kernel", reason=Reason.UNKNOWN))
    values = scrape()
    assert values["ambassador_sessions_closed_total", "redis", "unknown"] == 1
