"""HTTP over TCP, if the settings ask for it: the API for callers with a token, and what monitors
read.
"""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING, Any

from ambassador.admin.door import Door
from ambassador.admin.health import UntilAsked
from ambassador.control.reconciler import Reconciler
from ambassador.errors import RunError
from ambassador.model import Inet, Proto
from ambassador.sockets.bind import bind_inet, explain
from ambassador.sockets.inherited import Inherited
from ambassador.spec import format_address

if TYPE_CHECKING:
    from ambassador.admin.web import Onward, Token
    from ambassador.ports import MetricsPage

__all__ = ["api_door", "monitor_door"]

# Seconds between two batches of eight new connections: at most 400 connections a second.
_PACE = 0.02


def api_door(
    address: Inet,
    reconciler: Reconciler,
    token: Token,
    metrics: MetricsPage | None = None,
    inherited: Inherited | None = None,
    *,
    onward: Onward | None = None,
) -> Door:
    """Return the API at `address`, bound. Raises RunError; `token` is not empty."""
    if not (token() if callable(token) else token):
        raise ValueError("the API on TCP has a token")

    def build() -> Any:
        from ambassador.admin.web import api  # noqa: PLC0415 (imports, in a thread)

        return api(reconciler, place="over the API", token=token, metrics=metrics, onward=onward)

    # without the reconciler: /healthz and /readyz need the token here, too
    asked = partial(UntilAsked, build)
    return Door(_bound(address, "API", inherited), asked, "api", pace=_PACE)


def monitor_door(
    address: Inet,
    reconciler: Reconciler,
    metrics: MetricsPage | None = None,
    inherited: Inherited | None = None,
    *,
    onward: Onward | None = None,
) -> Door:
    """Return /healthz, /readyz and /metrics at `address`, bound. Raises RunError."""

    def build() -> Any:
        from ambassador.admin.web import monitor  # noqa: PLC0415 (imports, in a thread)

        return monitor(reconciler, metrics, onward)

    asked = partial(UntilAsked, build, reconciler)
    return Door(_bound(address, "metrics", inherited), asked, "metrics", pace=_PACE)


def _bound(address: Inet, what: str, inherited: Inherited | None) -> socket.socket:
    """Return a listening socket; without a host it listens on IPv4 and IPv6."""
    if inherited is not None and (sock := inherited.take(Proto.TCP, address)) is not None:
        return sock
    try:
        return bind_inet(Proto.TCP, address, 64)
    except OSError as error:
        why = explain(error, Proto.TCP, address, f"AMBASSADOR_{what.upper()}=")
        raise RunError(f"{what} on {format_address(address)}: {why}") from error
