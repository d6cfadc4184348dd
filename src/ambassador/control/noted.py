"""Values that are noted for `status` before it is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ambassador.core.known import Place
from ambassador.model import Address, RouteKey
from ambassador.ports import AddressProbed

if TYPE_CHECKING:
    from ambassador.core.results import IdentityView

__all__ = ["Noted"]


class Noted:
    """The last result of each probe, where the program can be reached, its identity in TLS, and
    when it started.
    """

    def __init__(self) -> None:
        self.reasons: dict[tuple[RouteKey, Address], str] = {}
        self.addresses: dict[tuple[RouteKey, Address], Sequence[AddressProbed]] = {}
        self.place = Place()
        self.identity: Callable[[], IdentityView | None] = lambda: None
        self.started = time.monotonic()
