"""What is read off: one table for the documents, the charts and the comparison. Pure."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["METRICS", "Metric"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One quantity. `more` tells whether more is better; `ratios` to what it is compared."""

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
    "p50_ms": Metric("half within", "ms", digits=3),
    "p99_ms": Metric("99 % within", "ms", digits=3, ratios=("best",)),
    "gbit": Metric("throughput", "Gbit/s", more=True, digits=1, ratios=("direct", "best")),
    "connections": Metric("connections a second", more=True, ratios=("direct", "best")),
    "cpu_us": Metric("CPU a request", "µs", digits=1),
    "cpu_s_gb": Metric("CPU a GB", "s", digits=3),
    "cpu_share": Metric("of one core", "%", digits=1),
    "session_kib": Metric("memory a session", "KiB", digits=1, ratios=("best",)),
    "process_mib": Metric("without sessions", "MiB", digits=1),
    "start_ms": Metric("start", "ms", ratios=("best",)),
    "apply_ms": Metric("start until the last route works", "ms"),
    "first_us": Metric("first answer of a new connection", "µs"),
}
