from pathlib import Path

from ambassador.telemetry.metrics import METRICS, Kind, as_markdown

ROOT = Path(__file__).parents[3]


def test_the_page_of_metrics_is_the_table():
    assert (ROOT / "docs" / "metrics.md").read_text() == as_markdown()


def test_names_follow_the_rules_of_prometheus():
    # https://prometheus.io/docs/practices/naming/
    for name, metric in METRICS.items():
        assert name.startswith(("ambassador_", "process_"))
        assert name.endswith("_total") == (metric.kind is Kind.COUNTER)
        assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
        assert list(metric.buckets) == sorted(set(metric.buckets))
        assert metric.help


def test_no_label_comes_from_a_client():
    labels = {label for metric in METRICS.values() for label in metric.labels}
    assert labels == {
        *("version", "python", "route", "proto", "listen", "plane", "reason", "flow"),
        *("endpoint", "health", "admin", "kind", "cause"),
        "identity",  # our own
    }
