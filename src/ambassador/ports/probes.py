"""Whether endpoints work; see `ports`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ambassador.model import Endpoint, Route

__all__ = ["Dialogue", "Probe", "Verifier"]


class Probe(Protocol):
    """What one protocol sends and expects, to find out whether an endpoint works. It has no state
    and touches nothing: the caller connects, sends, reads and closes.
    """

    def question(self, host: str) -> bytes:
        """Return the bytes to send once connected; empty where the endpoint sends first. `host` is
        the host of the endpoint as it is written, empty for a path.
        """

    def judge(self, answer: bytes) -> str | None:
        """Judge `answer`, all that was read so far: return empty when the endpoint works, else in a
        few words why not; None when more has to be read.
        """


@runtime_checkable
class Dialogue(Probe, Protocol):
    """A probe that has to reply to the endpoint, too."""

    def reply(self, answer: bytes) -> bytes:
        """Return all bytes to send after `answer`, all that was read so far: those sent before, and
        perhaps more. The question is not included.
        """


class Verifier(Protocol):
    """Asks whether endpoints that are to get traffic would answer."""

    async def verify(self, route: Route, endpoints: Sequence[Endpoint]) -> None:
        """Return when every address of each of `endpoints` has answered as endpoints of `route`
        should: to its probe, where it has one, else to a connection. Takes as long as the endpoint
        takes; the caller has a limit.

        Raises NotVerifiedError that names the endpoint and the reason.
        """
