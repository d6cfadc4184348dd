"""One engine, followed: its events first, then its list; each event has a container listed again.

An event stream that is not read costs the whole engine 100 ms for each event, once about 1,200
wait. So a task of its own does nothing but read it, and the engine filters it. While the engine
cannot be asked, its last answers stay in use.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from ambassador import log
from ambassador.core.containers.book import ACTIONS, Book, read_event
from ambassador.core.containers.container import Container, read_containers
from ambassador.engine.http import Answer, EngineHttp
from ambassador.errors import EngineError, in_words
from ambassador.tasks import spawn

__all__ = ["Follower", "list_path"]

_FILTER = quote(json.dumps({"type": ["container", "network"], "event": list(ACTIONS)}))
_EVENTS = f"/events?filters={_FILTER}"
_WHOLE = 60.0  # seconds between two lists of all containers
_AGAIN = 1.0  # after an event the list may lag behind: list once more
_TOGETHER = 0.01  # events come in groups
_EAGER = 0.025  # seconds between two looks where events come late and a client waits,
_SHARE = 4  # or so many times the duration of a list
_MANY = 8  # containers that are listed by their ids; more: all
_LATE = 2.0  # seconds: an older event was read too late, and others may be lost
_HEAD = 0.05  # seconds; Podman may send the head of the stream with its first event
_LONGEST_PAUSE = 5.0  # seconds between two attempts,
_LONGEST_AWAY = 0.4  # and where no engine answers, which costs little
_UNSAID = 5.0  # seconds of failures that are not logged
_BUFFER = 1 << 20  # characters of one event
_FAILURES = (EngineError, OSError, asyncio.IncompleteReadError, TimeoutError, ValueError)


class Follower:
    """`book` has the containers; `changed` is called whenever `book` or `error` has changed."""

    def __init__(self, http: EngineHttp, changed: Callable[[], None]) -> None:
        self.http = http
        self.book = Book()
        self.listed = 0.0  # when all were listed last, seconds since 1970; 0: never
        self._known_at = 0.0  # when `book` was last known to be up to date
        self.error = ""
        self.first = asyncio.Event()  # there was an answer, or a failure
        self.streams = self.events = self.lists = 0
        self.isolated = True
        self._changed = changed
        self._failing = 0.0  # since when (monotonic)
        self._said = False
        self._wake = asyncio.Event()
        self._pending: set[str] = set()
        self._later: dict[str, float] = {}
        self._deaf = False  # the list can be read, but not the events
        self._all = True
        self._eager_until = 0.0  # (monotonic)
        self._listing = 0.0  # seconds that the last list of all took
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow."""
        if self._task is None:
            self._task = spawn(self._run(), f"follow the engine at {self.http.where}")

    def close(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def look(self) -> None:
        """Have all containers listed soon."""
        self._all = True
        self._wake.set()

    def hurry(self, until: float) -> None:
        """Note that clients wait for a container to start, at most until that moment (monotonic);
        0: none waits. Podman's events arrive up to 250 ms late: meanwhile its list is read often.
        """
        if "libpod" in self.http.server.lower():
            self._eager_until = until
            self._wake.set()

    @property
    def seen_at(self) -> float:
        """When `book` was known to be up to date, in seconds since 1970: now, while events are
        read.
        """
        if self.listed and not self.error:
            return time.time()
        return self._known_at

    @property
    def containers(self) -> tuple[Container, ...]:
        """Every container as it is known now."""
        return self.book.all()

    async def _run(self) -> None:
        pause = 0.0
        while True:
            since = time.monotonic()
            try:
                await self._follow()
            except _FAILURES as failure:
                self._failed(failure)
            if time.monotonic() - since > _LONGEST_PAUSE and not self.error:
                pause = 0.0  # it had worked: a proxy cuts idle connections
            self._changed()
            await asyncio.sleep(pause * random.uniform(0.75, 1.0))
            longest = _LONGEST_PAUSE if self._deaf or not self.error else _LONGEST_AWAY
            pause = min(longest, max(0.1, pause * 2))

    async def _follow(self) -> None:
        """Follow until the stream ends or something fails."""
        self._all = True
        self._wake.set()
        began, lists = asyncio.Event(), self.lists
        reader = spawn(_outcome(self._read(began)), "read the events of the engine")
        asker = spawn(_outcome(self._ask(began)), "list containers")
        try:
            done, _ = await asyncio.wait({reader, asker}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                failure = task.result()
                if self._deaf or (failure is None and self.lists == lists):
                    # No events, or a stream that ended before any list: then the list is read at
                    # intervals.
                    await self._list(None)
                if failure is not None:
                    raise failure
        finally:
            reader.cancel()
            asker.cancel()
            await asyncio.wait({reader, asker})

    async def _read(self, began: asyncio.Event) -> None:
        http = self.http
        try:
            answer: Answer = await http.open("GET", _EVENTS)
        except OSError as error:
            raise EngineError(http.unreachable(error)) from None
        try:
            self._deaf = answer.status not in (200, 400)
            if answer.status != 200:
                body = await asyncio.wait_for(answer.body(), _LONGEST_PAUSE)
                if answer.status == 400 and http.learn(body):
                    return
                raise EngineError(http.refusal(_EVENTS, answer.status, body), "/events")
            self.streams += 1
            began.set()
            decoder, text = json.JSONDecoder(), ""
            async for piece in answer.pieces():
                text += piece.decode(errors="replace")
                while text := text.lstrip("\r\n\x1e "):
                    try:
                        entry, end = decoder.raw_decode(text)
                    except ValueError:
                        if len(text) > _BUFFER or "\n" in text:
                            raise EngineError(
                                f"{http.where}: sends events that are no JSON"
                            ) from None
                        break
                    text = text[end:]
                    self._heard(entry)
        except asyncio.IncompleteReadError:
            return  # cut by a proxy, or the engine has ended; the next list shows what was missed
        finally:
            answer.close()

    def _heard(self, entry: Any) -> None:
        event = read_event(entry)
        if event is None:
            return
        self.events += 1
        now = time.monotonic()
        before = self.book
        self.book = before.heard(event, now)
        if event.at and abs(time.time() - event.at / 1e9) > _LATE:
            self._all = True
        self._pending.add(event.container)
        self._wake.set()
        if self.book is not before:
            self._changed()

    async def _ask(self, began: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(began.wait(), _HEAD)
        due = looked = time.monotonic()
        unheard = not began.is_set()  # a second list shows changes before the stream began
        while True:
            now = time.monotonic()
            late = [id_ for id_, at in self._later.items() if at <= now]
            eager = now < self._eager_until
            if now >= due or (eager and now >= looked + max(_EAGER, _SHARE * self._listing)):
                self._all = True
            if not (self._all or self._pending or late):
                self._wake.clear()
                until = min([due, *self._later.values()]) - now
                until = min(until, _EAGER) if eager else until
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), until)
                continue
            again = set(self._pending)
            ids = self._pending | set(late)
            everything = self._all or len(ids) > _MANY
            self._pending, self._all = set(), False
            for id_ in late:
                del self._later[id_]
            await self._list(None if everything else ids)
            if everything:
                looked = time.monotonic()
                due = looked + (_AGAIN if unheard else _WHOLE)
                unheard = False
            self._later |= dict.fromkeys(again, time.monotonic() + _AGAIN)
            await asyncio.sleep(_TOGETHER)

    async def _list(self, ids: set[str] | None) -> None:
        began = time.monotonic()
        entries = await self.http.get(list_path(ids))
        try:
            found = read_containers(entries)
        except ValueError as error:
            raise EngineError(
                f"{self.http.where}: its list of containers makes no sense: {error}"
            ) from None
        self.lists += 1
        if ids is None:
            self._listing = time.monotonic() - began
        before, self.book = self.book, self.book.listed(found, ids, began)
        if ids is None:
            self.listed = time.time()
        if not self._deaf:
            self._well()
        if (
            not self.first.is_set()
            or self.book.containers != before.containers
            or before != self.book
        ):
            self.first.set()
            self._changed()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, asyncio.IncompleteReadError):
            text = f"{self.http.where}: {self.http.cut(error, '/events')}"
        elif isinstance(error, EngineError):
            text = str(error)
        else:
            text = f"{self.http.where}: {in_words(error)}"
        now = time.monotonic()
        if not self.error:
            self._failing = now
            self._known_at = time.time() if self.listed else 0.0
        self.error = text
        self.first.set()
        if not self._said and now - self._failing >= _UNSAID:
            self._said = True
            kept = (
                f"; what it said {time.time() - self.listed:.0f} s ago is still used"
                if self.listed
                else ""
            )
            log.event(log.WARNING, "engine_away", f"{text}{kept}", engine=str(self.http.where))

    def _well(self) -> None:
        if self._said:
            seconds = time.monotonic() - self._failing
            where = self.http.where
            text = f"{where}: answers again, {seconds:.0f} s after it first did not"
            log.event(log.INFO, "engine_back", text, engine=str(where))
        self.error, self._said = "", False


async def _outcome(work: Coroutine[Any, Any, None]) -> Exception | None:
    """Do `work` and return its failure: a task that raises would be reported as a bug."""
    try:
        await work
    except _FAILURES as failure:
        return failure
    return None


def list_path(ids: set[str] | None) -> str:
    """Return the path that lists all containers, or those of `ids`."""
    if ids is None:
        return "/containers/json?all=1"
    return f"/containers/json?all=1&filters={quote(json.dumps({'id': sorted(ids)}))}"
