"""Where routes come from, who may come in, and where names are; see `ports`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from ambassador.model import Route, Snapshot

if TYPE_CHECKING:
    from ambassador.core.containers.views import ContainerView, EngineView

__all__ = ["Admission", "Engines", "NameFeed", "Reloadable", "Resolver", "Source"]


class Source(Protocol):
    """Where routes come from."""

    @property
    def name(self) -> str:
        """A short word for logs and `status`: "environment", "hosts"."""

    @property
    def guess(self) -> bool:
        """Whether it is asked only while no source before it names a route: it must not add to
        what was said outright.
        """

    def read(self) -> Snapshot:
        """Return all that the source says now.

        Raises ConfigError when what it says is wrong and SourceError when it cannot be asked;
        in both cases the caller keeps the last good snapshot. A source that cannot be asked is
        never an empty source.
        """


class Reloadable(Protocol):
    """What is read again with the sources, and is no route."""

    @property
    def name(self) -> str:
        """A short word for logs and `status`."""

    def read(self) -> None:
        """Read it; what was read before stands. Raises ConfigError when it makes no sense."""

    def take_over(self) -> None:
        """From now on what was read last counts."""


class Admission(Protocol):
    """Who may come in at each route."""

    def __call__(self, route: Route) -> Route:
        """Return `route` with what its networks, and the files it names, come to. A file is read
        when it is named for the first time. Raises ConfigError: a file that cannot be read or makes
        no sense, networks that leave nobody, networks where clients have no address.
        """

    def files(self, route: Route) -> frozenset[str]:
        """Return the paths of all files that count for `route`."""

    def renew(self, path: str, routes: Iterable[Route]) -> None:
        """Read the file at `path` anew: from now on that counts for `routes`. Raises ConfigError as
        above, and what was read before stands.
        """


class Resolver(Protocol):
    """Names to addresses."""

    async def resolve(self, host: str) -> Sequence[str]:
        """Return the IP literals of `host`, in order of preference, at least one.

        An IP literal is returned as it is; for a name that a feed follows there may be `#PORT`
        behind one, which is then the port to connect to (`core.located`). A fresh answer is
        served from memory; after its TTL the name is asked again; when asking fails the last good
        answer stands. Raises
        ResolveError when there has never been an answer, NoSuchNameError where it is known that it
        is nowhere.
        """

    def known(self, host: str) -> Sequence[str]:
        """Return what `resolve` would return without asking; nothing where it would have to."""

    def doubt(self, host: str) -> None:
        """Say that an address of `host` did not work: the next `resolve` asks again."""

    def wanted(self, host: str) -> float:
        """Say that a client waits for an address of `host`, which has none: no probe does. Return
        for how many seconds that is worth waiting, where it is longer than for others: a container
        is started. Else 0.
        """

    def watch(self, host: str, changed: Callable[[Sequence[str]], None]) -> Callable[[], None]:
        """Keep `host` resolved and call `changed` when its addresses change, until the returned
        function is called. `changed` is called on the loop's thread and must not block.
        """


class NameFeed(Protocol):
    """Says by itself where names of one scheme (`docker://redis:6379`) are, when that changes."""

    def follow(
        self, host: str, told: Callable[[Sequence[str], str, bool], None]
    ) -> Callable[[], None]:
        """Call `told` with the addresses of `host`, now or as soon as that is known, and whenever
        they change, until the returned function is called. An address is an IP literal, with
        `#PORT` where it has a port of its own; it is there several times for a greater share. With
        none comes why, and whether that is known (it is nowhere) or only cannot be asked.
        """

    def wanted(self, host: str) -> float:
        """See Resolver.wanted."""

    def doubt(self, host: str) -> None:
        """See Resolver.doubt."""

    def close(self) -> None:
        """Tell nothing any longer."""


class Engines(Protocol):
    """What is known of containers, for `status`."""

    def view(self, host: str) -> tuple[Sequence[ContainerView], str]:
        """Return the containers that the host of an endpoint means; why nobody is led to any."""

    def views(self) -> Sequence[EngineView]:
        """Return what is known of each engine."""
