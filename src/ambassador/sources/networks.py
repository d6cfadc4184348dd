"""Which clients may come in at each route, by its own lists and by files that these name."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from ambassador.core.admission import admitted, is_nobody
from ambassador.errors import ConfigError, Problem
from ambassador.model import Admitted, Route, Unix
from ambassador.spec import format_address
from ambassador.spec.networks import (
    EVERYBODY,
    FILE,
    Network,
    format_networks,
    network_of,
    parse_network_lines,
)
from ambassador.spec.tls import parse_identities
from ambassador.spec.variable import format_option

__all__ = ["NetworkLists", "files_of"]

LARGEST = 4 << 20  # bytes of one file: a quarter of a million networks
_Lists = dict[str, list[Network]]


class NetworkLists:
    """Implements ports.Admission; `PeerLists` does it for identities. `allow` is for routes without
    an allow of their own; `demand` raises ConfigError if a route needs something else that is
    missing (an identity).
    """

    def __init__(
        self,
        allow: tuple[str, ...] = EVERYBODY,
        demand: Callable[[Route], None] = lambda _route: None,
    ) -> None:
        self._demand = demand
        self._peers = PeerLists()
        self._allow = allow
        self._files: _Lists = {}  # by path, as they were when last read without an error
        self._known: dict[tuple[tuple[str, ...], tuple[str, ...]], Admitted] = {}

    def __call__(self, route: Route) -> Route:
        """Return `route` with the networks and identities that may come in; see ports.Admission."""
        route = self._peers(route)
        self._demand(route)
        if _is_without_addresses(route):
            _refuse_without_addresses(route)
            return route
        allow = route.allow or self._allow
        if allow == EVERYBODY and not route.deny:
            return route if route.admitted is None else replace(route, admitted=None)
        found = self._known.get((allow, route.deny))
        if found is None:
            found = self._known[allow, route.deny] = self._admitted(route, allow)
        return route if route.admitted is found else replace(route, admitted=found)

    def files(self, route: Route) -> frozenset[str]:
        """Return the paths of all files that `route` uses."""
        if _is_without_addresses(route):
            return _paths(route.peers)
        return _paths(route.peers, route.allow or self._allow, route.deny)

    def _of_networks(self, route: Route) -> list[str]:
        if _is_without_addresses(route):
            return []
        return files_of((*(route.allow or self._allow), *route.deny))

    def renew(self, path: str, routes: Iterable[Route]) -> None:
        """Read the file at `path` again; see ports.Admission."""
        before, known, peers = self._files, self._known, self._peers.files
        routes = tuple(routes)
        try:
            if any(path in self._of_networks(route) for route in routes):
                self._files, self._known = {**before, path: read(path)}, {}
            if any(path in files_of(route.peers) for route in routes):
                self._peers.files = {**peers, path: read_peers(path)}
            for route in routes:
                self(route)
        except ConfigError:
            self._files, self._known, self._peers.files = before, known, peers
            raise

    def keep_only(self, paths: Collection[str]) -> None:
        """Forget all files but those at `paths`."""
        if not self._files.keys() <= set(paths):
            self._files = {path: self._files[path] for path in paths if path in self._files}
            self._known = {}
        self._peers.keep_only(paths)

    def _admitted(self, route: Route, allow: tuple[str, ...]) -> Admitted:
        found = admitted(self._networks(allow), self._networks(route.deny))
        if is_nobody(found):
            said = f"allow={format_networks(allow)}, deny={format_networks(route.deny)}"
            raise ConfigError(
                Problem(
                    route.origin or f"route {route.name}",
                    f"nobody may come in: {said}",
                    expected="an allow with networks that deny does not name",
                    example=format_option(route, "deny", "off"),
                )
            )
        return found

    def _networks(self, texts: Sequence[str]) -> list[Network]:
        found = []
        for text in texts:
            if text.startswith(FILE):
                path = text.removeprefix(FILE)
                if path not in self._files:
                    self._files[path] = read(path)
                found += self._files[path]
            else:
                found.append(network_of(text))
        return found


class PeerLists:
    """Which identities of clients may come in at each route, by its own list and by files."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[str, ...]] = {}  # by path, as in NetworkLists

    def __call__(self, route: Route) -> Route:
        """Return `route` with the identities that may come in. Raises ConfigError."""
        if not files_of(route.peers):
            return route if not route.identities else replace(route, identities=())
        found = list[str]()
        for text in route.peers:
            if text.startswith(FILE):
                path = text.removeprefix(FILE)
                if path not in self.files:
                    self.files[path] = read_peers(path)
                found += self.files[path]
            else:
                found.append(text)
        identities = tuple(dict.fromkeys(found))
        return route if route.identities == identities else replace(route, identities=identities)

    def keep_only(self, paths: Collection[str]) -> None:
        """Forget all files but those at `paths`."""
        self.files = {path: found for path, found in self.files.items() if path in paths}


@lru_cache(maxsize=1000)
def _paths(*said: tuple[str, ...]) -> frozenset[str]:
    """Return `files_of` of all arguments; cached, since most routes have the same, or no, lists."""
    return frozenset(path for texts in said for path in files_of(texts))


def files_of(texts: Iterable[str]) -> list[str]:
    """Return the paths of the files among `texts`."""
    return [text.removeprefix(FILE) for text in texts if text.startswith(FILE)]


def read(path: str) -> list[Network]:
    """Return the networks of the file at `path`. Raises ConfigError."""
    return parse_network_lines(text_of(path), path)


def read_peers(path: str) -> tuple[str, ...]:
    """Return the identities of the file at `path`. Raises ConfigError."""
    return parse_identities(text_of(path, "identities"), path)


def text_of(path: str, what: str = "networks") -> str:
    """Return the text of the file at `path`, a file of `what`. Raises ConfigError."""
    try:
        # To read a FIFO or a device might block the whole program.
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise ConfigError(Problem(path, "is not a regular file", "", f"a file of {what}"))
        with Path(path).open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        wrong = f"cannot be read: {(error.strerror or str(error)).lower()}"
        one = "10.0.0.0/8" if what == "networks" else "client-server"
        example = f"echo {one} > {shlex.quote(path)}"
        raise ConfigError(Problem(path, wrong, "", f"a file of {what}", example)) from error
    if len(data) > LARGEST:
        raise ConfigError(Problem(path, f"is larger than {LARGEST >> 20} MiB"))
    return data.decode(errors="replace")


def _is_without_addresses(route: Route) -> bool:
    """Return whether clients of `route` have no address: at a path, if it reads no PROXY header."""
    return isinstance(route.listen, Unix) and not route.proxy


def _refuse_without_addresses(route: Route) -> None:
    for key in ("allow", "deny"):
        if networks := getattr(route, key):
            raise ConfigError(
                Problem(
                    route.origin or f"route {route.name}",
                    f"{key} has no meaning at {format_address(route.listen)}: its clients have no "
                    "address",
                    format_networks(networks),
                    "the mode and the owner of the path say who may come in there",
                    format_option(route, key, "off"),
                )
            )
