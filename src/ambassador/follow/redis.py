"""How Redis and Valkey without Sentinel are followed: by INFO, which has the lineage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ambassador.core.follow.claims import Finding, Place, State
from ambassador.core.follow.lineage import Fact, look
from ambassador.follow.channel import Denied, Silence
from ambassador.follow.resp import Refused, Reply
from ambassador.follow.talk import Talk, Terms

__all__ = ["RedisRule", "fact"]


class RedisRule:
    """Implements members.Rule."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def look(
        self, state: State, facts: Mapping[Place, Any], *, gone: bool, auto: bool
    ) -> Finding | None:
        """See members.Rule."""
        return look(state, facts, gone=gone, auto=auto)

    def asker(self, place: Place, hung_up: Callable[[], None]) -> _Asker:
        """See members.Rule."""
        return _Asker(Talk(place, self._terms, hung_up))


class _Asker:
    """Implements members.Asker."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    async def fact(self, limit: float) -> Fact:
        """See members.Asker."""
        ping, info = await self._talk.ask(("PING",), ("INFO", "replication"), limit=limit)
        return fact(ping, info)

    def close(self) -> None:
        """See members.Asker."""
        self._talk.close()


def fact(ping: Reply, info: Reply) -> Fact:
    """Return what the replies to PING and INFO replication mean. Raises Denied and Silence."""
    loading = isinstance(ping, Refused) and ping.startswith("LOADING")
    if loading:
        return Fact(primary=False, id="", loading=True)
    if isinstance(info, Refused):
        if info.startswith("NOPERM"):
            raise Denied(f"it gives no right to ask ({info}); the ACL rules +ping +info do")
        if info.startswith("NOAUTH"):
            raise Denied("it wants a password: password_file (and user)")
        raise Denied(str(info))
    if not isinstance(info, str):
        raise Silence(f"INFO answers {info!r}")
    lines = (line.partition(":") for line in info.splitlines() if ":" in line)
    found = {key: value for key, _, value in lines}
    if "master_replid" not in found:
        raise Denied("its INFO has no replication: it is a sentinel, or no Redis")
    return Fact(
        found.get("role") == "master", found["master_replid"], found.get("master_replid2", "")
    )
