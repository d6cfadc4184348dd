"""Where routes come from, which clients may come in, and the addresses of names; see `ports`."""

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
        """Whether it is read only while no source before it has a route: a guess must not add to
        routes that were written.
        """

    def read(self) -> Snapshot:
        """Return all that the source says now.

        Raises ConfigError when what it says is wrong and SourceError when it cannot be asked;
        in both cases the caller keeps the last good snapshot. A source that cannot be asked is
        never an empty source.
        """


class Reloadable(Protocol):
    """What is read again together with the sources, but has no routes."""

    @property
    def name(self) -> str:
        """A short word for logs and `status`."""

    def read(self) -> None:
        """Read it; what was read before stays in force. Raises ConfigError when it makes no
        sense.
        """

    def take_over(self) -> None:
        """Put in force what was read last."""


class Admission(Protocol):
    """Which clients may come in at each route."""

    def __call__(self, route: Route) -> Route:
        """Return `route` with the networks that its option and files mean. A file is read when a
        route names it for the first time. Raises ConfigError: a file that cannot be read or makes
        no sense, networks without any address, networks for a route whose clients have no address.
        """

    def files(self, route: Route) -> frozenset[str]:
        """Return the paths of all files that `route` uses."""

    def renew(self, path: str, routes: Iterable[Route]) -> None:
        """Read the file at `path` again, and use it for `routes` from now on. Raises ConfigError as
        above, and then what was read before stays in force.
        """


class Resolver(Protocol):
    """Names to addresses."""

    async def resolve(self, host: str) -> Sequence[str]:
        """Return the IP literals of `host`, in order of preference, at least one.

        An IP literal is returned as it is. For a name that a feed follows, an address may be
        followed by `#PORT`, the port to connect to (`core.located`). A fresh answer comes from
        memory; after its TTL the name is asked for again; when that fails the last good answer
        stays in use. Raises ResolveError when there has never been an answer, NoSuchNameError where
        it is known that the name does not exist.
        """

    def known(self, host: str) -> Sequence[str]:
        """Return what `resolve` would return without asking; empty where it would have to ask."""

    def doubt(self, host: str) -> None:
        """Report that an address of `host` did not work: the next `resolve` asks again."""

    def wanted(self, host: str) -> float:
        """Report that a client (not a probe) waits for an address of `host`, which has none. Return
        how many seconds it should wait, where that is longer than usual because a container is
        started; else 0.
        """

    def watch(self, host: str, changed: Callable[[Sequence[str]], None]) -> Callable[[], None]:
        """Keep `host` resolved and call `changed` when its addresses change, until the returned
        function is called. `changed` is called on the loop's thread and must not block.
        """


class NameFeed(Protocol):
    """Follows names of one scheme (`docker://redis:6379`), and reports when their addresses
    change.
    """

    def follow(
        self, host: str, told: Callable[[Sequence[str], str, bool], None]
    ) -> Callable[[], None]:
        """Call `told` with the addresses of `host`, now or as soon as they are known, and whenever
        they change, until the returned function is called. An address is an IP literal, with
        `#PORT` where it has a port of its own; an address with a greater share is repeated. Without
        addresses, `told` gets the reason, and whether it is certain that there are none (true) or
        the question failed.
        """

    def wanted(self, host: str) -> float:
        """See Resolver.wanted."""

    def doubt(self, host: str) -> None:
        """See Resolver.doubt."""

    def close(self) -> None:
        """Report nothing any more."""


class Engines(Protocol):
    """What is known of containers, for `status`."""

    def view(self, host: str) -> tuple[Sequence[ContainerView], str]:
        """Return the containers that the host of an endpoint means, and why clients are led to none
        of them.
        """

    def views(self) -> Sequence[EngineView]:
        """Return what is known of each engine."""
