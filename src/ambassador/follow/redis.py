"""How Redis and Valkey without Sentinel are followed: by INFO, which has the replication ids."""

from __future__ import annotations

from collections.abc import Callable

from ambassador.core.follow.claims import Place
from ambassador.core.follow.lineage import Fact
from ambassador.core.follow.replica import UNKNOWN
from ambassador.core.follow.replica import Fact as Replica
from ambassador.follow.asking import Asker
from ambassador.follow.channel import Denied, Silence
from ambassador.follow.resp import Refused, Reply
from ambassador.follow.talk import Talk, Terms

__all__ = ["RedisAsker", "RedisReplicaAsker", "fact", "replica"]


class _Asker(Asker):
    def __init__(self, place: Place, terms: Terms, hung_up: Callable[[], None]) -> None:
        self._talk = Talk(place, terms, hung_up)

    def close(self) -> None:
        """See asking.Asker."""
        self._talk.close()

    async def _answers(self, limit: float) -> tuple[Reply, Reply]:
        ping, info = await self._talk.ask(("PING",), ("INFO", "replication"), limit=limit)
        return ping, info


class RedisAsker(_Asker):
    """Implements asking.Asker for the facts about a primary."""

    async def fact(self, limit: float) -> Fact:
        """See asking.Asker."""
        return fact(*await self._answers(limit))


class RedisReplicaAsker(_Asker):
    """Implements asking.Asker for the facts about a replica."""

    async def fact(self, limit: float) -> Replica:
        """See asking.Asker."""
        return replica(*await self._answers(limit))


def fact(ping: Reply, info: Reply) -> Fact:
    """Return what the replies to PING and INFO replication mean. Raises Denied and Silence."""
    if _loads(ping):
        return Fact(primary=False, id="", loading=True)
    found = _fields(info)
    return Fact(
        found.get("role") == "master", found["master_replid"], found.get("master_replid2", "")
    )


def replica(ping: Reply, info: Reply) -> Replica:
    """Return what the replies mean for reads. Raises Denied and Silence.

    An idle primary sends something every 10 s (repl-ping-replica-period), so a working link may
    look as old as that.
    """
    if _loads(ping):
        raise Silence("it loads its data")
    found = _fields(info)
    linked = found.get("master_link_status") == "up"
    key = "master_last_io_seconds_ago" if linked else "master_link_down_since_seconds"
    seconds = int(found.get(key, -1))
    whole = found.get("master_sync_in_progress", "0") == "0" and seconds >= 0
    return Replica(found.get("role") == "slave", linked, float(seconds) if whole else UNKNOWN)


def _loads(ping: Reply) -> bool:
    return isinstance(ping, Refused) and ping.startswith("LOADING")


def _fields(info: Reply) -> dict[str, str]:
    """Return the fields of INFO replication. Raises Denied and Silence."""
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
    return found
