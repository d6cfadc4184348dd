"""What is read off: one table for the documents, the charts and the comparison. Pure."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["METRICS", "Metric"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One quantity. `more` tells whether more is better; `ratios` to what it is compared: a peer,
    "best" (the peer that is best in it), "proxy" (the same without those that are a process a
    session) or "fastest" (the peer that is best in the load's first quantity, which an operator
    would choose).
    """

    label: str
    unit: str = ""
    more: bool = False
    digits: int = 0
    ratios: tuple[str, ...] = ()

    @property
    def head(self) -> str:
        """The label with the unit."""
        return f"{self.label}, {self.unit}" if self.unit else self.label


METRICS: dict[str, Metric] = {
    "rate": Metric("requests a second", more=True, ratios=("direct", "best")),
    "p50_ms": Metric("half within", "ms", digits=3, ratios=("best",)),
    "p99_ms": Metric("99 % within", "ms", digits=3, ratios=("fastest", "best")),
    "gbit": Metric("throughput", "Gbit/s", more=True, digits=1, ratios=("direct", "best")),
    "connections": Metric("connections a second", more=True, ratios=("direct", "best")),
    "cpu_us": Metric("CPU a request", "µs", digits=1, ratios=("best",)),
    "cpu_s_gb": Metric("CPU a GB", "s", digits=3),
    "cpu_share": Metric("of one core", "%", digits=1),
    "session_kib": Metric("memory a session", "KiB", digits=1, ratios=("best",)),
    "opened_kib": Metric("right after opening", "KiB", digits=1),
    "process_mib": Metric("without sessions", "MiB", digits=1),
    "start_ms": Metric("start", "ms", ratios=("best",)),
    "apply_ms": Metric("start until the last route works", "ms"),
    "direct_us": Metric("direct", "µs", digits=2),
    "tracked_us": Metric("with connection tracking", "µs", digits=2),
    "translated_us": Metric("translated by three rules", "µs", digits=2),
    "uncounted_us": Metric("ours without counting", "µs", digits=2),
    "whole_us": Metric("ours", "µs", digits=2),
    "count_share": Metric("share of counting", "%", digits=1),
    "usual_ms": Metric("longest wait for an answer before", "ms", digits=1),
    "gap_ms": Metric("longest wait for an answer meanwhile", "ms", digits=1),
    "first_us": Metric("first answer of a new connection", "µs"),
}
