"""The figures of a run as a page. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill as wrapped

from bench.bed import TOPOLOGIES
from bench.figures import Figures
from bench.loads import LOADS
from bench.loads.load import Load
from bench.metrics import METRICS
from bench.peers import OTHERS, PEERS, PROXIES
from bench.samples import Run
from bench.settings import peer_settings
from bench.summary import HEAD, goal_rows
from bench.text import NOTHING, in_order, span, table

__all__ = ["NAME", "page"]

NAME = "benchmarks"  # of the page, of the figures beside it, of the folder with the pictures
_NOTES = {
    "sessions": "At most 50 of them are busy with GET, the rest are open and silent. socat, which "
    "would be a process for each, is left out.",
    "routes": "Each route has its own port; 200 new connections over all of them are timed.",
    "counting": "Of the kernel plane: the processor time of one request of 36 bytes and its "
    "answer, from a thread that has both ends, through rules of each kind; the three rules are the "
    "least that translates a connection and masks it. So what is beside them is ours, and what is "
    "between them and *direct* is the kernel's connection tracking and translation. Of the relay: "
    "the processor time of a GET, and what the two additions take that count its bytes.",
}
_APART = ("sessions", "routes", "counting")  # groups with a section of their own
_OTHERS = ", ".join(peer.label for peer in OTHERS)
_PROXIES = ", ".join(peer.label for peer in PROXIES)


def _fill(text: str) -> str:
    return wrapped(text, 99, break_long_words=False, break_on_hyphens=False)


def page(run: Run, pictures: Sequence[str], remarks: str = "") -> str:
    """Return docs/benchmarks.md."""
    figures = Figures(run.samples)
    lines = [
        "# Benchmarks",
        "",
        "Written by `./dev bench`, with the figures beside it in "
        f"[{NAME}.json]({NAME}.json); not by hand.",
        "",
        *_pictures(pictures, ("get",)),
        *_goals(figures, remarks),
        *_machine(run),
        *_missing(run, figures),
        *_method(),
        *_topologies(figures),
        *_pictures(pictures, ("latency", "bulk", "connections", "cost", "still")),
        *_growth(figures, pictures),
        *_counting(figures),
        *peer_settings(run.versions),
        *_again(),
    ]
    return "\n".join(lines)


def _pictures(pictures: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    for name in names:
        if name in pictures:
            yield f"![{name}]({NAME}/{name}.svg)"
            yield ""


def _goals(figures: Figures, remarks: str) -> Iterator[str]:
    yield "## Figures to reach"
    yield ""
    yield f"Medians of ratios within a round. The best peer is the best of {_OTHERS}, by its"
    yield "median over the run. The fastest peer is the one with the highest rate in the same load,"
    yield "which one would choose. One that serves a third of the requests may answer each of them"
    yield "sooner, as socat with its 50 processes does; so both ratios are shown. The best proxy is"
    yield f"the best of {_PROXIES}, and the least of a proxy the least of theirs."
    yield ""
    yield from table(HEAD, goal_rows(figures, bold=True))
    yield ""
    if remarks:
        yield remarks


def _machine(run: Run) -> Iterator[str]:
    m = run.machine
    tools = ("redis-server", "redis-benchmark", "iperf3")
    used = ", ".join(f"{name} {run.versions[name]}" for name in tools if name in run.versions)
    place = f" of {m['virtual']}" if m["virtual"] else ""
    yield "## The machine"
    yield ""
    yield _fill(
        f"{m['cores']} cores{place} ({m['processor']}), {m['memory_gib']} GiB, {m['system']}, "
        f"{m['kernel']}, Python {m['python']}; {used}. {run.began}, {run.seconds / 60:.0f} min: "
        f"rounds: {run.asked['rounds']}, about {run.asked['seconds']:g} s a measurement."
    )
    yield ""
    if int(m["cores"]) <= 2:
        yield _fill(
            "Client, go-between and service share these cores: what the client and the service "
            "need is not there for the go-between. The ratios hold for such a machine; a rate by "
            "itself says little."
        )
        yield ""


def _missing(run: Run, figures: Figures) -> Iterator[str]:
    lines = [f"- {line}" for line in run.remarks]
    for reason, places in figures.missing().items():
        where = ", ".join(places) if len(places) <= 4 else f"{len(places)} of its measurements"
        if not any(reason.partition(": ")[2] in line for line in run.remarks):
            lines.append(f"- {reason} ({where})")
    yield "## What is missing"
    yield ""
    yield from lines or ["Nothing: every peer was there and every measurement could be taken."]
    yield ""


def _method() -> Iterator[str]:
    shapes = "\n".join(f"- *{name}*: {what}." for name, what in TOPOLOGIES.items())
    yield f"""\
## How it is measured

Each go-between has a Redis and an iperf3 of its own behind it, and network namespaces of its own
around it, in two topologies:

{shapes}

In *shared* all three have one address, on the loopback interface, as in a pod or in a container
with a sidecar; not 127.0.0.1, to which a kernel forwards nothing.

In a round every load goes through all peers, one right after the other, and another peer comes
first each time; so a slow minute hits them alike. A ratio is taken within a round. The tables
have the median over the rounds, with minimum and maximum in brackets.

- **GET**: `redis-benchmark -t get`, with 50 connections, with 16 requests at once on each of
  them (pipeline 16), and with one connection. Before each, a tenth of it to get warm.
- **GET, half a second**: the same with 50 connections that are opened for it and nothing to get
  warm, {LOADS["get50short"].turns} times a round: half a second has few answers that are late.
- **Bulk**: `iperf3`, one direction, as received.
- **New connections**: `redis-benchmark -k 0`, a connection for each request.
- **CPU**: user and system time of all processes of the go-between, before and after. What the
  kernel does in interrupts on behalf of a packet is charged to whoever runs at that moment, so
  the kernel plane's 0 means that no process of it runs, not that forwarding is free.
- **Memory of a session**: proportional set size of all its processes with {LOADS["idle"].number:,}
  sessions that have answered once, less the size before, by their number; right after they were
  opened, and once the processes have ended that were started to open them, a minute later. What
  the kernel keeps for sockets is not in it and is the same for all.
- **First connections after idling**: {LOADS["first"].number}, one each millisecond, to a program
  that has just started and come to rest (as it is after half a minute without work: what it had
  started for work is gone). Each is kept; the time is that from the moment it was due to its first
  answer.
- **An upgrade**: `ambassador run --upgrade` with {LOADS["upgrade"].number:,} sessions open, a third
  of which ask ten times a second. It counts when the process before has ended while all of them
  are open, and each has answered; the time is the longest that any waited for an answer.
- **Start**: from starting the command to the first answer through it, in fresh namespaces; the
  median of {LOADS["start"].number} starts.
"""


def _topologies(figures: Figures) -> Iterator[str]:
    for topology, what in TOPOLOGIES.items():
        loads = [
            load
            for load in LOADS.values()
            if load.group not in _APART and figures.peers(topology, load.key)
        ]
        if loads:
            yield f"## {topology.capitalize()}: {what}"
            yield ""
        for load in loads:
            yield f"### {load.label[0].upper()}{load.label[1:]}"
            yield ""
            yield from _table(figures, topology, load)
            yield ""


def _table(figures: Figures, topology: str, load: Load) -> list[str]:
    head = [""]
    for name in load.metrics:
        head.append(METRICS[name].head)
        head += [_over(figures, topology, load, name, to) for to in METRICS[name].ratios]
    rows = []
    for peer in in_order(figures.peers(topology, load.key)):
        row = [PEERS[peer].label]
        for name in load.metrics:
            place = (topology, load.key, name, peer)
            row.append(span(figures.value(*place), METRICS[name].digits))
            row += [_ratio(figures, place, to) for to in METRICS[name].ratios]
        rows.append(row)
    empty = [n for n in range(1, len(head)) if all(row[n] == NOTHING for row in rows)]
    keep = [n for n in range(len(head)) if n not in empty]
    return table([head[n] for n in keep], [[row[n] for n in keep] for row in rows])


def _ratio(figures: Figures, place: tuple[str, str, str, str], to: str) -> str:
    other = figures.other(*place[:3], to)
    return "1" if place[3] == other else span(figures.ratio(*place, to), 2)


def _over(figures: Figures, topology: str, load: Load, metric: str, to: str) -> str:
    if to in PEERS:
        return f"over {to}"
    which = f"over the {to} peer"
    other = figures.other(topology, load.key, metric, to)
    return f"{which} ({PEERS[other].label})" if other else which


def _counting(figures: Figures) -> Iterator[str]:
    tables = [
        (f"### {load.label[0].upper()}{load.label[1:]} ({topology})", load, topology)
        for load in LOADS.values()
        for topology in load.topologies
        if load.group == "counting" and figures.peers(topology, load.key)
    ]
    if tables:
        yield "## What counting costs"
        yield ""
        yield _fill(_NOTES["counting"])
        yield ""
    for head, load, topology in tables:
        yield head
        yield ""
        yield from _table(figures, topology, load)
        yield ""


def _growth(figures: Figures, pictures: Sequence[str]) -> Iterator[str]:
    for group in ("sessions", "routes"):
        loads = [
            load
            for load in LOADS.values()
            if load.group == group and figures.peers("shared", load.key)
        ]
        if not loads:
            continue
        yield f"## How the cost grows with {group}"
        yield ""
        if note := _NOTES.get(group):
            yield _fill(note)
            yield ""
        yield from _pictures(pictures, (group,))
        for metric in loads[0].metrics:
            yield from _growth_table(figures, loads, metric)
            yield ""


def _growth_table(figures: Figures, loads: Sequence[Load], metric: str) -> list[str]:
    peers = in_order({peer for load in loads for peer in figures.peers("shared", load.key)})
    rows = []
    for peer in peers:
        sizes = [figures.value("shared", load.key, metric, peer) for load in loads]
        rows.append([PEERS[peer].label, *(span(size, METRICS[metric].digits) for size in sizes)])
    return table([METRICS[metric].head, *(f"{load.number:,}" for load in loads)], rows)


def _again() -> list[str]:
    return [
        "## Run it yourself",
        "",
        "    ./dev bench                       # all of this; installs the peers it lacks (Debian)",
        "    ./dev bench --only get,haproxy,relay   # a part, into .cache/bench/part",
        "    ./dev bench --only relay          # what the relay's goals need, in five minutes",
        "    ./dev bench --compare             # the newest run beside the committed figures",
        "    ./dev bench run haproxy           # one peer alone, 127.0.0.1:7000 to 127.0.0.1:6379",
        "",
    ]
