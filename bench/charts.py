"""Which pictures the document has. Pure."""

from __future__ import annotations

from bench.bed import TOPOLOGIES
from bench.figures import Figures
from bench.loads import LOADS
from bench.metrics import METRICS
from bench.peers import PEERS
from bench.samples import Run
from bench.svg import Bar, Bars, Line, Lines, picture
from bench.text import in_order, number

__all__ = ["charts"]

# Name: title, and (load, metric) of its panels, each in both topologies where it has both.
_BARS = {
    "get": ("Redis GET, requests a second: more is better",
            (("get50", "rate"), ("get50p16", "rate"), ("get1", "rate"))),
    "latency": ("Redis GET, 99 of 100 answers within ms: less is better",
                (("get50", "p99_ms"), ("get1", "p99_ms"))),
    "bulk": ("Bulk, Gbit/s: more is better", (("bulk1", "gbit"), ("bulk8", "gbit"))),
    "connections": ("New connections a second: more is better",
                    (("connections", "connections"),)),
    "cost": ("Processor time of the go-between: less is better",
             (("get50", "cpu_us"), ("bulk1", "cpu_s_gb"))),
    "still": ("Start, and memory of an idle session: less is better",
              (("start", "start_ms"), ("idle", "session_kib"))),
}  # fmt: skip
_LINES = {
    "sessions": ("GET among more and more sessions", "sessions", ("rate", "cpu_us", "p99_ms")),
    "routes": ("More and more routes", "routes", ("apply_ms", "first_us")),
}


def charts(run: Run) -> dict[str, str]:
    """Return the SVG of every picture there are figures for, by name."""
    figures = Figures(run.samples)
    found = {}
    for name, (title, places) in _BARS.items():
        panels = [
            panel
            for load, metric in places
            for topology in TOPOLOGIES
            if (panel := _panel(figures, topology, load, metric)).bars
        ]
        if panels:
            found[name] = picture(title, panels)
    for name, (title, x_label, metrics) in _LINES.items():
        grown = [g for m in metrics if (g := _growth(figures, name, x_label, m)).lines]
        if grown:
            found[name] = picture(title, grown)
    return found


def _panel(figures: Figures, topology: str, load: str, metric: str) -> Bars:
    bars = []
    for peer in in_order(figures.peers(topology, load)):
        if size := figures.value(topology, load, metric, peer):
            value = number(size.middle, METRICS[metric].digits)
            bars.append(Bar(PEERS[peer].label, _look(peer), size, value))
    where = f" ({topology})" if len(LOADS[load].topologies) > 1 else ""
    return Bars(f"{LOADS[load].label}: {METRICS[metric].head}{where}", bars)


def _growth(figures: Figures, group: str, x_label: str, metric: str) -> Lines:
    loads = [load for load in LOADS.values() if load.group == group]
    lines = []
    for peer in in_order({p for load in loads for p in figures.peers("shared", load.key)}):
        points = [
            (float(load.number), size.middle)
            for load in loads
            if (size := figures.value("shared", load.key, metric, peer))
        ]
        if points:
            lines.append(Line(PEERS[peer].label, _look(peer), list(PEERS).index(peer), points))
    return Lines(METRICS[metric].head, x_label, lines)


def _look(peer: str) -> str:
    if PEERS[peer].ours:
        return "ours"
    return "direct" if peer == "direct" else "other"
