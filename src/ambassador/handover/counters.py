"""What routes have carried, as flat numbers under names: they can be added up and written down.

opened, refused, held_total, to_upstream, to_client, "closed REASON"    counters
open, "open ENDPOINT"                                                   of this moment
"kernel NAME"       a counter of rules that only a successor with a kernel plane takes over
"ended NAME"        what is counted at the end of a session; see heritage.py
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ambassador.errors import ConfigError, PlaneError, RunError
from ambassador.model import Endpoint, Proto, Reason, Route, RouteKey
from ambassador.ports import Plane, RouteStatus
from ambassador.spec import format_address, format_endpoint, parse_endpoint, parse_listen

__all__ = [
    "Account",
    "Accounts",
    "LastLook",
    "Legacy",
    "account_of",
    "add",
    "past",
    "status_of",
]

Account = Mapping[str, float]
Accounts = dict[RouteKey, dict[str, float]]

_COUNTERS = ("opened", "refused", "held_total", "to_upstream", "to_client")
_KERNEL = "kernel "


def account_of(status: RouteStatus) -> dict[str, float]:
    """Return the account of one route."""
    found: dict[str, float] = {name: getattr(status, name) for name in (*_COUNTERS, "open")}
    found |= {f"closed {reason}": count for reason, count in status.closed.items()}
    for address, count in status.open_by_endpoint.items():
        if count:
            found[f"open {format_endpoint(Endpoint(address, status.route.proto))}"] = count
    return {name: value for name, value in found.items() if value}


def status_of(route: Route, account: Account) -> RouteStatus:
    """Return what `account` says of `route`, without a plane."""

    def number(name: str) -> int:
        return int(account.get(name, 0))

    return RouteStatus(
        route,
        plane="",
        why="",
        opened=number("opened"),
        open=number("open"),
        refused=number("refused"),
        to_upstream=number("to_upstream"),
        to_client=number("to_client"),
        held_total=number("held_total"),
        closed={reason: count for reason in Reason if (count := number(f"closed {reason}"))},
        open_by_endpoint={
            parse_endpoint(name.removeprefix("open "), proto=route.proto).address: int(count)
            for name, count in account.items()
            if name.startswith("open ")
        },
    )


def past(account: Account) -> dict[str, float]:
    """Return what stays of `account` when its process has ended: its counters."""
    return {
        name: value
        for name, value in account.items()
        if name != "open" and not name.startswith("open ")
    }


def add(accounts: Accounts, more: Mapping[RouteKey, Account]) -> None:
    """Add `more` to `accounts`."""
    for key, account in more.items():
        mine = accounts.setdefault(key, {})
        for name, value in account.items():
            mine[name] = mine.get(name, 0) + value


class LastLook:
    """A part of an estate that is not given away: the numbers of a plane (if there is one) before
    that is.
    """

    def __init__(self, plane: Plane | None) -> None:
        self.accounts: Accounts = {}
        self._plane = plane

    async def lend(self) -> Sequence[Any]:
        """Look; see transfer.Transferable."""
        if self._plane is None:
            return []
        with suppress(PlaneError):
            await self._plane.measure()
        self.accounts = {
            one.route.key: {
                f"{_KERNEL}{name}": value for name, value in past(account_of(one)).items()
            }
            for one in self._plane.status()
        }
        return []

    def pause(self) -> None:
        """See transfer.Transferable."""

    async def take_back(self) -> None:
        """See transfer.Transferable."""

    def give_up(self) -> None:
        """See transfer.Transferable."""


@dataclass(slots=True)
class Legacy:
    """All numbers that a successor gets: of processes that have ended, of the one it takes over
    from, and of each of the others before, as they were last known.
    """

    past: Accounts = field(default_factory=dict)
    live: Accounts = field(default_factory=dict)
    others: list[Accounts] = field(default_factory=list)

    def encode(self) -> bytes:
        """Return it as text."""
        others = [_plain(one) for one in self.others]
        return json.dumps([_plain(self.past), _plain(self.live), others]).encode()

    @classmethod
    def decode(cls, text: bytes, *, kernel: bool) -> Legacy:
        """Return what `encode` made, for a successor with a kernel plane or without one.

        Raises RunError.
        """
        try:
            gone, live, others = json.loads(text)
            settled = _settled(_accounts(gone), kernel=kernel)
            return cls(settled, _accounts(live), [_accounts(one) for one in others])
        except (ConfigError, TypeError, ValueError, AttributeError) as error:
            raise RunError(f"numbers of the former process make no sense: {error}") from error


def _settled(accounts: Accounts, *, kernel: bool) -> Accounts:
    """Return `accounts` with the counters of rules among the others, unless the rules go on."""
    for account in accounts.values():
        for name in [name for name in account if name.startswith(_KERNEL)]:
            value = account.pop(name)
            if not kernel:
                plain = name.removeprefix(_KERNEL)
                account[plain] = account.get(plain, 0) + value
    return accounts


def _plain(accounts: Accounts) -> dict[str, Account]:
    return {f"{proto} {format_address(at)}": account for (proto, at), account in accounts.items()}


def _accounts(plain: Mapping[str, Mapping[str, float]]) -> Accounts:
    found: Accounts = {}
    for text, account in plain.items():
        proto, _, listen = text.partition(" ")
        key = Proto(proto), parse_listen(listen)
        found[key] = {str(name): float(value) for name, value in account.items()}
    return found
