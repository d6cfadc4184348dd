"""Two runs side by side. Pure."""

from __future__ import annotations

from bench.figures import Figures, Spread
from bench.loads import LOADS
from bench.metrics import METRICS
from bench.peers import PEERS
from bench.samples import Run
from bench.text import number

__all__ = ["comparison"]


def comparison(old: Run, new: Run) -> str:
    """Return a table of what both runs have: ratios where there are some, since another machine
    or another day changes every rate; a change outside the spread of both is marked. "The best" is
    so among the peers that both runs have.
    """
    both = {s.peer for s in old.samples} & {s.peer for s in new.samples}
    before, after = (Figures([s for s in r.samples if s.peer in both]) for r in (old, new))
    rows = [("", "old", "new", "change", "")]
    for topology, load, metric, peer in _places(after):
        place = (topology, load, metric, peer)
        ratios = METRICS[metric].ratios if PEERS[peer].ours else ("direct",)
        to = next((to for to in ratios if before.ratio(*place, to) and after.ratio(*place, to)), "")
        if ratios and not to:
            continue
        was, now = (f.ratio(*place, to) if to else f.value(*place) for f in (before, after))
        if was is None or now is None:
            continue
        what = f"{topology}, {LOADS[load].label}, {PEERS[peer].label}: "
        digits = 2 if to else METRICS[metric].digits
        rows.append(
            (
                what + (f"{METRICS[metric].label} over {to}" if to else METRICS[metric].head),
                number(was.middle, digits),
                number(now.middle, digits),
                f"{now.middle / was.middle - 1:+.0%}" if was.middle else "",
                _verdict(was, now, METRICS[metric].more),
            )
        )
    if len(rows) == 1:
        return "nothing that both runs have measured"
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    head = [f"old: {old.began}, {old.versions.get('relay', '')}",
            f"new: {new.began}, {new.versions.get('relay', '')}"]  # fmt: skip
    if old.machine != new.machine:
        head.append("taken on different machines")
    lengths = [float(r.asked.get("seconds", 0)) for r in (old, new)]
    if lengths[0] != lengths[1]:
        head.append(f"of {lengths[0]:g} and {lengths[1]:g} s a measurement")
    return "\n".join(
        [
            *head,
            *(
                f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  "
                f"{row[3]:>{widths[3]}}  {row[4]}".rstrip()
                for row in rows
            ),
        ]
    )


def _places(figures: Figures) -> list[tuple[str, str, str, str]]:
    """Return what is compared: our own peers, and the others only by what has a ratio to direct."""
    seen = dict.fromkeys((s.topology, s.load, s.peer) for s in figures.samples)
    return [
        (topology, load, metric, peer)
        for topology, load, peer in seen
        for metric in LOADS[load].metrics
        if PEERS[peer].ours or (peer != "direct" and "direct" in METRICS[metric].ratios)
    ]


def _verdict(was: Spread, now: Spread, more: bool) -> str:
    if now.low > was.high:
        return "better" if more else "worse"
    if now.high < was.low:
        return "worse" if more else "better"
    return ""
