"""What is answered, as plain values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ambassador.core.describe import describe_endpoint, describe_listen
from ambassador.ports import RouteStatus

__all__ = ["RouteView", "StatusView"]


@dataclass(frozen=True, slots=True)
class RouteView:
    """One route; `to_upstream` and `to_client` are bytes since it was started."""

    name: str
    listen: str
    endpoints: list[str]
    plane: str
    why: str
    open: int
    opened: int
    refused: int
    to_upstream: int
    to_client: int
    origin: str

    @classmethod
    def of(cls, status: RouteStatus) -> RouteView:
        """Return the view of what a plane knows."""
        return cls(
            name=status.route.name,
            listen=describe_listen(status.route),
            endpoints=[describe_endpoint(endpoint) for endpoint in status.route.endpoints],
            plane=status.plane,
            why=status.why,
            open=status.open,
            opened=status.opened,
            refused=status.refused,
            to_upstream=status.to_upstream,
            to_client=status.to_client,
            origin=status.route.origin,
        )


@dataclass(frozen=True, slots=True)
class StatusView:
    """The whole program; `uptime` in seconds."""

    phase: str
    version: str
    pid: int
    uptime: float
    routes: list[RouteView]

    @classmethod
    def of(
        cls, phase: str, version: str, pid: int, uptime: float, statuses: Sequence[RouteStatus]
    ) -> StatusView:
        """Return the view of a running program."""
        routes = [RouteView.of(status) for status in statuses]
        return cls(phase, version, pid, round(uptime, 3), routes)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> StatusView:
        """Return what `as_json` was made from."""
        return cls(**{**value, "routes": [RouteView(**route) for route in value["routes"]]})
