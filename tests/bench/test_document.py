import re
from xml.etree import ElementTree

from bench import svg
from bench.charts import charts
from bench.compare import comparison
from bench.document import page
from bench.figures import Spread
from bench.loads import LOADS
from bench.metrics import METRICS
from bench.peers import PEERS
from bench.summary import summary
from bench.text import number, span
from tests.bench.runs import rates, run, sample


def whole() -> list:
    """A sample of every load with every peer, two rounds; a peer's figures are its place."""
    return [
        sample(
            name,
            round_,
            load=load.key,
            topology=topology,
            **dict.fromkeys(load.metrics, 10.0 * place + round_),
        )
        for load in LOADS.values()
        for topology in load.topologies
        for place, (name, peer) in enumerate(PEERS.items(), 1)
        if load.takes(peer)
        for round_ in (1, 2)
    ]


def test_numbers_keep_what_means_something():
    assert number(41234.5, 0) == "41,234"
    assert number(0.1234, 3) == "0.123"
    assert number(12.345, 3) == "12.35"
    assert number(0.0, 2) == "0.00"


def test_a_spread_shows_its_ends_where_they_differ():
    assert span(Spread(1, 2, 3), 0) == "2 (1 to 3)"
    assert span(Spread(2.001, 2.002, 2.003), 2) == "2.00"
    assert span(None, 2) == "-"


def test_a_table_has_median_and_ratios():
    text = page(run(*rates(direct=(100, 200), haproxy=(50, 100), relay=(75, 50))), [])
    assert "| HAProxy | 75 (50 to 100) | 0.50 | 1 |" in text
    assert "| our relay | 62 (50 to 75) | 0.50 (0.25 to 0.75) | 1.00 (0.50 to 1.50) |" in text
    assert "over the best peer (HAProxy)" in text


def test_goals_say_whether_they_are_reached():
    text = page(run(*rates(direct=(100,), haproxy=(50,), relay=(40,), kernel=(96,))), [])
    assert re.search(r"kernel plane, shared: GET rate over direct .* 0\.96 \| reached \|", text)
    assert re.search(r"relay, shared: GET rate .* 0\.80 \| \*\*not reached\*\* \|", text)
    assert re.search(r"kernel plane, three: p99 .* not measured \|", text)


def test_a_goal_that_could_not_be_measured_has_its_reason_in_the_table():
    text = page(run(sample("relay", 1, "they stay behind", load="upgrade")), [])
    assert re.search(
        r"3,000 sessions .* \| at most 50 \| - \| not measured: they stay behind", text
    )


def test_a_summary_has_the_goals_of_which_the_run_says_something():
    lines = summary(run(*rates(haproxy=(50,), relay=(40,)))).splitlines()
    assert lines[0].split()[:3] == ["what", "to", "reach"]
    rate = next(line for line in lines if "shared: GET rate over the best proxy" in line)
    assert rate.split()[-3:] == ["0.80", "not", "reached"]
    assert not any("bulk" in line for line in lines)
    assert summary(run()) == ""


def test_what_is_missing_is_in_the_document():
    text = page(
        run(
            *rates(direct=(100,)),
            sample("envoy", 1, "envoy is not installed: pip install"),
            sample("nginx", 1, "port 7000 is taken"),
            remarks=["without Envoy: envoy is not installed: pip install"],
        ),
        [],
    )
    assert "- without Envoy: envoy is not installed: pip install\n" in text
    assert text.count("envoy is not installed") == 1
    assert "- nginx: port 7000 is taken (shared get50)" in text
    assert "| Envoy | - |" in text


def test_nothing_missing_is_said_too():
    assert "Nothing: every peer was there" in page(run(*rates(direct=(1,))), [])


def test_one_core_or_two_are_named_as_what_they_are():
    text = page(run(*rates(direct=(1,))), [])
    assert "2 cores (Abacus), 4 GiB" in text
    assert "Client, go-between and service share these cores" in text


def test_remarks_stand_below_the_goals():
    text = page(run(*rates(direct=(1,))), [], "Bulk is bounded by copies.\n")
    assert text.index("## Figures to reach") < text.index("Bulk is bounded")
    assert text.index("Bulk is bounded") < text.index("## The machine")


def test_every_peer_is_shown_with_its_settings_and_a_reason():
    text = page(run(), [])
    for peer in PEERS.values():
        assert peer.why in text
    for setting in ("nbthread 2", "worker_processes 2", "--concurrency 2", "100000000"):
        assert setting in text


def test_every_picture_is_shown_and_nothing_else():
    full = run(*whole())
    pictures = charts(full)
    shown = set(re.findall(r"\(benchmarks/(\w+)\.svg\)", page(full, list(pictures))))
    assert shown == set(pictures)
    assert len(shown) == 8


def test_pictures_are_well_formed_and_follow_the_scheme():
    for text in charts(run(*whole())).values():
        root = ElementTree.fromstring(text)
        assert root.attrib["aria-label"]
        assert "prefers-color-scheme: dark" in text
        for node in root.iter():
            for name in ("width", "height"):
                assert float(node.attrib.get(name, 1)) > 0


def test_a_bar_is_as_long_as_its_median():
    text = charts(run(*rates(direct=(100,), relay=(50,))))["get"]
    widths = {
        node.attrib["class"]: float(node.attrib["width"])
        for node in ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}rect")
    }
    assert abs(widths["direct"] - 2 * widths["ours"]) < 0.2


def test_pictures_come_only_from_what_was_measured():
    assert set(charts(run(*rates(direct=(1,))))) == {"get", "latency"}
    assert charts(run()) == {}


def test_lines_need_no_second_point():
    only = sample("relay", 1, load="routes1", apply_ms=1.0, first_us=0.0)
    ElementTree.fromstring(charts(run(only))["routes"])


def test_a_comparison_marks_what_left_the_spread():
    old = run(*rates(direct=(100, 100), relay=(40, 42)))
    new = run(*rates(direct=(200, 200), relay=(100, 110)))
    text = comparison(old, new)
    row = next(line for line in text.splitlines() if "requests a second" in line)
    assert "shared, GET, 50 connections, our relay: requests a second over direct" in row
    assert row.split()[-4:] == ["0.41", "0.53", "+28%", "better"]


def test_a_comparison_within_the_spread_says_nothing():
    old = run(*rates(direct=(100, 100), relay=(40, 50)))
    new = run(*rates(direct=(100, 100), relay=(45, 55)))
    row = next(r for r in comparison(old, new).splitlines() if "requests a second" in r)
    assert row.split()[-1] == "+11%"


def test_less_can_be_better():
    old = run(sample("relay", 1, load="idle", session_kib=8.0))
    new = run(sample("relay", 1, load="idle", session_kib=4.0))
    alone = comparison(old, new)
    assert "nothing" in alone  # memory is compared as a ratio to the best peer
    both = [
        run(s, sample("haproxy", 1, load="idle", session_kib=4.0))
        for (s,) in (old.samples, new.samples)
    ]
    assert comparison(*both).splitlines()[-1].split()[-4:] == ["2.00", "1.00", "-50%", "better"]


def test_the_best_is_so_among_the_peers_of_both_runs():
    old = run(*rates(socat=(200,), haproxy=(50,), relay=(50,)))
    new = run(*rates(haproxy=(50,), relay=(75,)))
    row = next(r for r in comparison(old, new).splitlines() if "requests a second" in r)
    assert "our relay: requests a second over best" in row
    assert row.split()[-4:] == ["1.00", "1.50", "+50%", "better"]


def test_measurements_of_another_length_are_said():
    old, new = run(*rates(direct=(1,), relay=(1,))), run(*rates(direct=(1,), relay=(1,)))
    new.asked = {**new.asked, "seconds": 0.75}
    assert "of 1.5 and 0.75 s a measurement" in comparison(old, new)


def test_another_machine_is_said():
    old, new = run(*rates(direct=(1,), relay=(1,))), run(*rates(direct=(1,), relay=(1,)))
    new.machine = {**new.machine, "cores": 64}
    assert "different machines" in comparison(old, new)


def test_every_metric_has_a_head():
    assert METRICS["rate"].head == "requests a second"
    assert METRICS["gbit"].head == "throughput, Gbit/s"


def test_no_label_is_cut():
    """DejaVu Sans, the widest of the usual fonts, takes 6.6 pixels a character of our labels."""
    for name, text in charts(run(*whole())).items():
        root = ElementTree.fromstring(text)
        for panel in root.iter("{http://www.w3.org/2000/svg}g"):
            for node in panel.iter("{http://www.w3.org/2000/svg}text"):
                wide, place = 6.6 * len(node.text), float(node.attrib["x"])
                if node.attrib["text-anchor"] == "end":
                    assert place - wide >= 0, (name, node.text)
                elif node.attrib.get("class") != "head":
                    assert place + wide <= svg.WIDE + svg.GAP, (name, node.text)
