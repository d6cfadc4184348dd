"""docs/follow-benchmarks.md, from all parts that were measured."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from bench.follow.outcome import Outcome

__all__ = ["Part", "keep", "kept", "page"]

_WORDS = """\
# Failovers, measured

Written by `./dev bench follow`; not by hand. One Redis set of a primary, two replicas and three
sentinels (down-after 1 s, failover-timeout 3 s, quorum 2). In front of it each peer, on a host of its
own; both planes of the ambassador at once, in front of the same failovers. Behind each, three
clients write unique numbers: a patient one, one that waits 1 s, one with a connection for each
write. The server says with each when it was done, by its own clock, and logs when it is promoted.

| column | meaning |
|---|---|
| first write, every client | median of ms from the event to the first write at the new primary, of any and of every client |
| after the sentinel | the same from the first sentinel's new answer |
| longest gap | ms in which no client had an acknowledgment, the longest of all failovers |
| lost | writes that the old primary acknowledged after the new one was promoted, and that are gone |
| not replicated | writes that are gone and were acknowledged before: asynchronous replication's loss, whatever is in front |
| READONLY, refused | replies, connections |
| load | of the machine meanwhile, from the lowest to the highest |
"""  # noqa: E501
_HEAD = """\
| peer | failovers | first write | every client | after the sentinel | longest gap | lost \
| not replicated | READONLY | refused | load |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|"""

# The outcomes of one peer and one event, and the loads meanwhile.
Part = tuple[Sequence[Outcome], Sequence[float]]


def keep(path: Path, found: Mapping[tuple[str, str], Part]) -> None:
    """Write down what was `found`, by peer and event, beside what was kept before."""
    parts = {**kept(path), **found}
    rows = [
        {"peer": peer, "event": event, "loads": list(loads), "outcomes": [asdict(o) for o in some]}
        for (peer, event), (some, loads) in sorted(parts.items())
    ]
    path.write_text(json.dumps(rows, indent=1) + "\n")


def kept(path: Path) -> dict[tuple[str, str], Part]:
    """Return what was kept."""
    rows = json.loads(path.read_text()) if path.exists() else []
    return {
        (row["peer"], row["event"]): ([Outcome(**one) for one in row["outcomes"]], row["loads"])
        for row in rows
    }


def page(found: Mapping[tuple[str, str], Part], peers: Iterable[str], events: Iterable[str]) -> str:
    """Return the page of what was `found`."""
    host = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores"
    lines, order = [_WORDS, host + "."], list(peers)
    for event in events:
        lines += ["", f"## {event}", "", _HEAD]
        for peer in order:
            if part := found.get((peer, event)):
                lines.append(f"| {' | '.join(_cells(peer, *part))} |")
    return "\n".join(lines) + "\n"


def _cells(peer: str, some: Sequence[Outcome], loads: Sequence[float]) -> list[str]:
    names = "lost", "unreplicated", "readonly", "refused"
    return [
        peer,
        str(len(some)),
        _median([one.first for one in some]),
        _median([one.everybody for one in some]),
        _median([one.named for one in some]),
        f"{max(one.gap for one in some):,.0f}",
        *(f"{sum(getattr(one, name) for one in some):,}" for name in names),
        f"{min(loads):.1f} to {max(loads):.1f}",
    ]


def _median(values: Sequence[float | None]) -> str:
    known = [one for one in values if one is not None]
    if len(known) < len(values) / 2 or not known:
        return "never"
    return f"{statistics.median(known):,.0f}"
