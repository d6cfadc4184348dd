import json

import pytest

from bench.errors import Missing
from bench.parse import parse_iperf3, parse_redis_csv

HEAD = (
    '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms",'
    '"p99_latency_ms","max_latency_ms"\n'
)
ROW = '"GET","49261.09","0.523","0.144","0.511","0.719","0.943","3.071"\n'


@pytest.mark.parametrize("warning", ["", "WARNING: Could not fetch server CONFIG\n"])
def test_redis_benchmark_gives_rate_and_latencies(warning):
    assert parse_redis_csv(warning + HEAD + ROW, 1000) == {
        "rate": 49261.09,
        "p50_ms": 0.511,
        "p99_ms": 0.943,
    }


@pytest.mark.parametrize("text", ["", "Error: Connection reset\n", HEAD])
def test_redis_benchmark_without_figures_is_missing(text):
    with pytest.raises(Missing, match="printed no figures"):
        parse_redis_csv(text, 1000)


def test_redis_benchmark_that_took_less_than_its_clock_shows_has_a_rate_all_the_same():
    assert parse_redis_csv(HEAD + ROW.replace("49261.09", "inf"), 40)["rate"] == 40_000


def iperf3(received: dict) -> str:
    return json.dumps({"end": {"sum_sent": {"bytes": 9}, "sum_received": received}})


def test_iperf3_counts_what_arrived():
    text = iperf3({"bytes": 2_500_000_000, "bits_per_second": 1.6e10})
    assert parse_iperf3(text) == {"gbit": 16.0, "gigabytes": 2.5}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("iperf3: command not found", "no JSON"),
        (json.dumps({"error": "unable to connect"}), "unable to connect"),
        (iperf3({"bytes": 0, "bits_per_second": 0}), "nothing arrived"),
    ],
)
def test_iperf3_without_figures_is_missing(text, why):
    with pytest.raises(Missing, match=why):
        parse_iperf3(text)
