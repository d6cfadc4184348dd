from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from ambassador.telemetry.exposition import Page, head, labelled
from ambassador.telemetry.metrics import METRICS, Kind, Metric

# Prometheus' parser takes a line at other ends, too, but no route has such a name.
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]) | st.sampled_from('\n"\\')
)


def read(page):
    text = b"".join(page.pieces()).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


@given(TEXTS, TEXTS, st.integers(0, 2**63) | st.floats(0, allow_nan=False) | st.booleans())
def test_whatever_is_said_is_read_as_it_was(one, two, value):
    page = Page()
    page.add("ambassador_bytes_total", value, labelled(route=one, flow=two))
    (sample,) = read(page)["ambassador_bytes"].samples
    assert (sample.labels, float(sample.value)) == ({"route": one, "flow": two}, float(value))


@given(TEXTS)
def test_any_help_is_read_as_it_was(text):
    told = head(Metric("a", Kind.GAUGE, (), text)) + "a 1\n"
    (family,) = text_string_to_metric_families(told)
    assert family.documentation.strip() == text.strip()


def test_values_of_a_metric_stand_together_in_the_order_of_the_table():
    page = Page()
    for route in ("a", "b"):
        for name in reversed(METRICS):
            if METRICS[name].kind is not Kind.HISTOGRAM:
                page.add(name, 1, labelled(route=route))
    assert [len(one.samples) for one in read(page).values()] == [
        0 if metric.kind is Kind.HISTOGRAM else 2 for metric in METRICS.values()
    ]


def test_a_histogram_counts_from_below():
    page, name = Page(), "ambassador_session_seconds"
    page.add_histogram(name, [1, 0, 2, *[0] * 6, 4], 0.5, labelled(route="a"))
    samples = {(it.name, it.labels.get("le")): it.value for it in read(page)[name].samples}
    assert samples[f"{name}_bucket", "0.001"] == 1
    assert samples[f"{name}_bucket", "0.1"] == samples[f"{name}_bucket", "86400.0"] == 3
    assert samples[f"{name}_bucket", "+Inf"] == samples[f"{name}_count", None] == 7
    assert samples[f"{name}_sum", None] == 0.5


def test_a_large_page_comes_in_pieces():
    page = Page()
    for number in range(5000):
        page.add("ambassador_sessions_open", number, labelled(route=f"r{number}"))
    pieces = list(page.pieces())
    assert len(pieces) > 2
    assert max(map(len, pieces)) < 70_000
