"""Whether endpoints work; see `ports`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ambassador.model import Endpoint, Route

__all__ = ["Dialogue", "Probe", "Verifier"]


class Probe(Protocol):
    """What one protocol says and wants to hear, to know whether an endpoint works. It holds no
    state and touches nothing: the caller connects, sends, reads and closes.
    """

    def question(self, host: str) -> bytes:
        """Return what is sent once connected; nothing where the endpoint speaks first. `host` is
        its host as it is written, empty for a path.
        """

    def judge(self, answer: bytes) -> str | None:
        """Return what `answer`, all that was read so far, says: nothing when the endpoint works,
        else in a few words why not; None when there has to be more.
        """


@runtime_checkable
class Dialogue(Probe, Protocol):
    """A probe whose endpoint has to be answered, too."""

    def reply(self, answer: bytes) -> bytes:
        """Return all that is to be said once `answer`, all that was read so far, was heard: what
        was said before, and perhaps more. The question is no part of it.
        """


class Verifier(Protocol):
    """Asks whether endpoints that are to get traffic would answer."""

    async def verify(self, route: Route, endpoints: Sequence[Endpoint]) -> None:
        """Return when every address of each of `endpoints` has answered as those of `route`
        should: its probe, where it has one, else a connection. Takes as long as the endpoint
        lets it; the caller has a limit.

        Raises NotVerifiedError that names the endpoint and the reason.
        """
