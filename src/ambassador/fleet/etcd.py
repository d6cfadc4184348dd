"""The part of etcd's API that is used, through its JSON gateway (etcd 3.4, api_grpc_gateway.md).

A request goes to one member after the other until one answers. All revisions and ids are whole
numbers here; in JSON they are texts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncGenerator, Sequence

from ambassador.errors import AmbassadorError
from ambassador.fleet.access import Access, spoken
from ambassador.fleet.connection import AwayError, Connection, Url
from ambassador.fleet.faults import (
    About,
    CompactedError,
    NoLeaseError,
    StaleTokenError,
    of_text,
    refusal,
    unlike,
)
from ambassador.fleet.requests import Batch, Found, Json, batch, found, reading, watching

__all__ = ["Etcd"]

LIMIT = 5.0  # seconds for one answer of one member
_NOT_NEEDED = "-"  # in place of a token


class Etcd:
    """Sends requests to the members that `access` names. `about` of a request is for the text of
    its error.
    """

    def __init__(self, access: Access) -> None:
        self.access = access
        self._order = random.sample(access.members, len(access.members))
        self._kept: Connection | None = None
        self._token = ""
        self._lock = asyncio.Lock()

    async def get(self, key: str, end: str = "", limit: int = 0) -> Found:
        """Return what is at `key`, or in the range from there to `end`, at one revision. Raises
        AwayError and ConfigError.
        """
        answer = await self._ask("/v3/kv/range", reading(key, end, limit), self._about("read", key))
        return found(answer)

    async def change(
        self, compare: Sequence[Json], success: Sequence[Json], key: str, limit: float = 0.0
    ) -> tuple[bool, int]:
        """Do all of `success` in one revision if all of `compare` holds. Return whether it did, and
        the revision. `key` is the key that this is about; a member has `limit` seconds to answer
        (0: LIMIT). Raises AwayError, NoLeaseError, ConfigError.
        """
        body = {"compare": list(compare), "success": list(success)}
        answer = await self._ask("/v3/kv/txn", body, self._about("write", key), limit)
        return bool(answer.get("succeeded")), int(answer["header"]["revision"])

    async def grant(self, seconds: int, limit: float = 0.0) -> tuple[int, int]:
        """Return a new lease, and its length in seconds: perhaps longer than requested."""
        answer = await self._ask(
            "/v3/lease/grant", {"TTL": str(seconds)}, self._about("write", "leases"), limit
        )
        return int(answer["ID"]), int(answer["TTL"])

    async def renew(self, lease: int, limit: float = 0.0) -> None:
        """Keep `lease` alive. Raises NoLeaseError where it has ended."""
        body = {"ID": str(lease)}
        answer = await self._ask("/v3/lease/keepalive", body, self._about("write", "leases"), limit)
        if int(answer.get("result", {}).get("TTL", 0)) <= 0:
            raise NoLeaseError("the lease has ended")

    async def revoke(self, lease: int) -> None:
        """End `lease`, and delete the keys under it."""
        with contextlib.suppress(NoLeaseError):
            await self._ask("/v3/lease/revoke", {"ID": str(lease)}, self._about("write", "leases"))

    def close(self) -> None:
        """Close all connections."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    async def watch(self, key: str, end: str, revision: int) -> AsyncGenerator[Batch, None]:
        """Yield what changes from `revision` on, as it is committed; first, a batch without changes
        when the watch has begun. Raises AwayError when the stream ends, CompactedError,
        ConfigError.

        A member without a leader ends the stream (`hasleader`): its data may be old.
        """
        about = self._about("read", key)
        body = json.dumps(watching(key, end, revision)).encode()
        async with asyncio.timeout(LIMIT * len(self._order)):
            connection = await self._connection()
            headers = await self._headers(connection)
        lines = connection.lines("/v3/watch", body, headers | {"Grpc-Metadata-Hasleader": "true"})
        try:
            wait: float | None = LIMIT  # the beginning is reported at once; then only changes are
            while True:
                try:
                    async with asyncio.timeout(wait):
                        status, line = await anext(lines)
                except StopAsyncIteration:
                    raise AwayError(f"{connection.url}: it hung up") from None
                if status != 200:
                    raise refusal(connection.url, status, line, about)
                wait = None
                yield self._batch(connection.url, line, about)
        except TimeoutError:
            raise AwayError(f"{connection.url}: no answer within {LIMIT:g} s") from None
        except StaleTokenError:
            self._token = ""
            raise AwayError(f"{connection.url}: the log-in has ended") from None
        except AwayError:
            self._turn(connection.url)
            raise
        finally:
            connection.close()

    def _batch(self, url: Url, line: bytes, about: About) -> Batch:
        try:
            message = json.loads(line)
            result = message.get("result", {})
        except (ValueError, AttributeError):
            raise AwayError(f"{url}: its answer is not JSON") from None
        if "error" in message:
            raise refusal(url, 200, line, about)
        if result.get("compact_revision"):
            raise CompactedError("compacted")
        if result.get("canceled"):
            raise of_text(url, result.get("cancel_reason", "") or "canceled", 2, about)
        return batch(result)

    def _about(self, right: str, key: str) -> About:
        return About(right, key, self.access.user)

    async def _ask(self, path: str, body: Json, about: About, limit: float = 0.0) -> Json:
        """Return the answer of the first member that has one."""
        data, limit = json.dumps(body).encode(), limit or LIMIT
        failures: list[AmbassadorError] = []
        asked = set[Url]()  # a member is asked at most once for one request
        async with self._lock:
            for _ in range(len(self._order) + 1):
                url = self._order[0] if self._kept is None else self._kept.url
                if url in asked:
                    break
                kept = self._kept
                try:
                    async with asyncio.timeout(limit):
                        return await self._ask_one(path, data, about)
                except StaleTokenError as error:
                    self._token = ""
                    failures.append(AwayError(str(error)))
                    continue
                except AwayError as error:
                    failures.append(error)
                    if kept is None or kept.usable:  # else the member may have closed it long ago
                        asked.add(url)
                except TimeoutError:
                    failures.append(AwayError(f"{url}: no answer within {limit:g} s"))
                    asked.add(url)
                except BaseException:
                    if self._kept is not None and not self._kept.usable:
                        self.close()
                    raise
                self.close()
                self._turn(url)
        texts = dict.fromkeys(str(failure) for failure in failures)
        raise AwayError("etcd cannot be asked: " + "; ".join(texts))

    def _turn(self, url: Url) -> None:
        """Ask another member than `url` first, next time."""
        if self._order[0] == url:
            self._order.append(self._order.pop(0))

    async def _ask_one(self, path: str, data: bytes, about: About) -> Json:
        if self._kept is None or not self._kept.usable:
            self.close()
            self._kept = await self._connection(all_members=False)
        connection = self._kept
        headers = await self._headers(connection)
        status, answer = await connection.ask(path, data, headers)
        if status != 200:
            raise refusal(connection.url, status, answer, about)
        try:
            found: Json = json.loads(answer)
        except ValueError:
            raise AwayError(f"{connection.url}: its answer is not JSON") from None
        return found

    async def _headers(self, connection: Connection) -> dict[str, str]:
        if not self.access.user:
            return {}
        if not self._token:
            self._token = await self._log_in(connection)
        return {"Authorization": self._token} if self._token != _NOT_NEEDED else {}

    async def _log_in(self, connection: Connection) -> str:
        user = self.access.user
        body = json.dumps({"name": user, "password": self.access.password()}).encode()
        status, answer = await connection.ask("/v3/auth/authenticate", body, {})
        if status == 200:
            return str(json.loads(answer)["token"])
        if b"authentication is not enabled" in answer:
            return _NOT_NEEDED
        raise refusal(connection.url, status, answer, About("read", "", user))

    async def _connection(self, *, all_members: bool = True) -> Connection:
        """Return a connection to the first member that has one. Raises SourceError, ConfigError."""
        failures: list[str] = []
        for url in list(self._order) if all_members else self._order[:1]:
            connection = Connection(url)
            try:
                async with asyncio.timeout(LIMIT):
                    await connection.open(self.access.context(url))
                    await self._greet(connection)
                return connection
            except AwayError as error:
                connection.close()
                if wrong := unlike(error, url, await spoken(error, url)):
                    raise wrong from None
                failures.append(str(error))
            except TimeoutError:
                connection.close()
                failures.append(f"{url}: no answer within {LIMIT:g} s")
            except BaseException:  # cancelled, because the time for the whole request is over
                connection.close()
                raise
            self._turn(url)
        raise AwayError("; ".join(failures))

    async def _greet(self, connection: Connection) -> None:
        """Get a first answer. In TLS 1.3, a missing certificate of ours is reported no earlier; nor
        is it known before whether the port uses TLS at all.
        """
        status, _ = await connection.ask("/v3/maintenance/status", b"{}", {})
        if status == 404:
            raise refusal(connection.url, status, b"", About())
        if not connection.usable:
            raise AwayError(f"{connection.url}: it hung up")
