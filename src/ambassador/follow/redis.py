"""How Redis and Valkey without Sentinel are followed: by INFO, which has the lineage."""

from __future__ import annotations

from collections.abc import Callable

from ambassador.core.follow.claims import Place
from ambassador.core.follow.lineage import Fact
from ambassador.follow.channel import Denied, Silence
from ambassador.follow.resp import Refused, Reply
from ambassador.follow.talk import Talk, Terms

__all__ = ["RedisAsker", "fact"]


class RedisAsker:
    """Implements asking.Asker."""

    def __init__(self, place: Place, terms: Terms, hung_up: Callable[[], None]) -> None:
        self._talk = Talk(place, terms, hung_up)

    async def fact(self, limit: float) -> Fact:
        """See asking.Asker."""
        ping, info = await self._talk.ask(("PING",), ("INFO", "replication"), limit=limit)
        return fact(ping, info)

    def close(self) -> None:
        """See asking.Asker."""
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
