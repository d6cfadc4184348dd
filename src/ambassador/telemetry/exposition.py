"""The text format that Prometheus reads, version 0.0.4. Pure.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ambassador.telemetry.metrics import METRICS, Metric

__all__ = ["Page", "head", "labelled"]

_PIECE = 64 << 10  # characters
_VALUE = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})
_HELP = str.maketrans({"\\": "\\\\", "\n": "\\n"})


def labelled(**labels: str) -> str:
    """Return labels as they are written between braces. Callers pass them in the order of their
    names, so that a line looks the same in every version.
    """
    return ",".join(f'{name}="{value.translate(_VALUE)}"' for name, value in labels.items())


def head(metric: Metric) -> str:
    """Return the lines before the values of a metric."""
    text = metric.help.translate(_HELP)
    return f"# HELP {metric.name} {text}\n# TYPE {metric.name} {metric.kind}\n"


class Page:
    """Values of one moment, in the order of the table: all values of one metric have to stand
    together, although callers add them route by route.
    """

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {name: [head(it)] for name, it in METRICS.items()}

    def add(self, name: str, value: float, labels: str = "") -> None:
        """Add one value of the metric `name`; `labels` as `labelled` returns them."""
        where = f"{name}{{{labels}}}" if labels else name
        self._lines[name].append(f"{where} {+value}\n")  # `+`: a bool becomes 0 or 1

    def add_histogram(self, name: str, counts: Iterable[int], total: float, labels: str) -> None:
        """Add a histogram: how many values are in each bucket of the table and above the last,
        and their sum.
        """
        below, lines = 0, []
        for bound, count in zip((*METRICS[name].buckets, "+Inf"), counts, strict=True):
            below += count
            lines.append(f'{name}_bucket{{le="{bound}",{labels}}} {below}\n')
        lines.append(f"{name}_count{{{labels}}} {below}\n{name}_sum{{{labels}}} {total}\n")
        self._lines[name].append("".join(lines))

    def pieces(self) -> Iterator[bytes]:
        """Yield the text in pieces of about 64 KB, and forget what has been yielded."""
        ready: list[str] = []
        size = 0
        for name in METRICS:
            for line in self._lines.pop(name):
                ready.append(line)
                size += len(line)
                if size >= _PIECE:
                    yield "".join(ready).encode()
                    ready, size = [], 0
        yield "".join(ready).encode()
