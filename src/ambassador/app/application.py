"""A whole ambassador: `start` fills a stack of things to close, `stop` unwinds it.

Stop order, each line with its limit:

    1  readiness is taken back                                        at once
    2  the kernel forwards no new connections (unless `keep_rules`); clients that wait in the
       backlogs are accepted, then listeners close; held clients are reset    at once
    3  open sessions may end, also those in the kernel       `grace`, or a second signal
    4  sessions still open are cut, both sides see a reset  at once; in the kernel 1.2 s
    5  our rules are removed, workers end, the admin socket is removed, names are no longer
       asked for                            0.2 s; for a worker that does not end, 2 s
    6  exit code 0
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import MutableMapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from ambassador import log
from ambassador.admin.doors import ONWARD, Doors
from ambassador.admin.token import Token
from ambassador.app import assemble
from ambassador.app.alone import in_fleet
from ambassador.app.feeds import Feeds
from ambassador.app.figures import Figures
from ambassador.app.handed import go_on, handing, prepared
from ambassador.app.ready import Readiness, in_a_line, tell_cut
from ambassador.app.reclaim import Left, leave, outlive
from ambassador.app.watches import Watches
from ambassador.control.reconciler import Reconciler
from ambassador.handover.transfer import Transfer
from ambassador.planes.kernel.fullness import with_fullness
from ambassador.planes.kernel.leftover import outlast
from ambassador.ports import SessionRecord, Source
from ambassador.probes.verifier import ConnectVerifier
from ambassador.settings import Settings
from ambassador.sockets.inherited import Inherited
from ambassador.sockets.systemd import Notifier, listening
from ambassador.tasks import spawn
from ambassador.telemetry import debug_log
from ambassador.telemetry.access_log import AccessLog
from ambassador.telemetry.durations import Durations

if TYPE_CHECKING:
    from ambassador.handover.successor import Successor

__all__ = ["App"]

_REPLACED = 60.0  # seconds for a successor to take the place of the admin socket


class App:
    """A whole ambassador inside the running event loop.

    With `successor`, it takes over from the ambassador that `successor` talks to; with `environ`,
    it takes the sockets from systemd; with `left`, what a killed ambassador has left.
    """

    def __init__(
        self,
        settings: Settings,
        sources: Sequence[Source],
        successor: Successor | None = None,
        environ: MutableMapping[str, str] | None = None,
        *,
        left: Left | None = None,
    ) -> None:
        environ = {} if environ is None else environ
        self.handed_over = asyncio.Event()
        self._settings, self._successor, self._left = settings, successor, left or Left()
        self._opened = AsyncExitStack()
        self._notifier = Notifier(environ)
        given = self._left.and_kept([] if successor else listening(environ), self._notifier)
        self._inherited = inherited = Inherited(
            successor.sockets if successor else [sock for _, sock in given],
            provisional=bool(successor or left),
            lasting=successor is None,
            left=self._left.sockets(sock for _, sock in given),
        )
        self._token = Token(lambda: assemble.token(settings), settings.api_token_file)
        handed = successor.wishes if successor else self._left.wishes(settings)
        self._feeds = feeds = Feeds(settings, os.environ, sources, handed)
        resolver = feeds.resolver
        self._durations = Durations()
        self._access = AccessLog(settings.access_log) if settings.access_log else None
        self._kernel = assemble.kernel_plane(settings, resolver, inherited, self._session_ended)
        told = self._session_ended, self._durations.add
        self._keys = assemble.keyring(settings)
        self._relay = relay = assemble.relay_plane(
            settings, resolver, inherited, told, self._kernel, keys=self._keys
        )
        self._transfer = Transfer(resolver, relay, self._kernel, self._durations.counters)
        self._fleet = in_fleet(settings, sources, resolver)
        kept = assemble.kept(settings, handed)
        self.reconciler = Reconciler(
            assemble.placed(sources, given),
            self._relay,
            *([self._kernel] if self._kernel else []),
            verifier=ConnectVerifier(resolver, keyring=self._keys),
            store=kept and kept.store,
            memories=kept and kept.memories,
            history=kept and kept.history,
            read_assignments=assemble.assigned,
            installed=lambda steps: self._watches.change(steps),  # noqa: PLW0108 (made below)
            earlier=self._transfer.earlier,
            shortages=lambda: relay.source_ports.shortages,
            counted=self._durations.numbers,
            reloadables=[*[self._token] * (settings.api is not None), *self._fleet.reloadables],
            admission=(lists := assemble.lists(settings, self._keys)),
            of_host=with_fullness,
            engines=feeds,
            placed=self._fleet.placed,
        )
        self._transfer.routes = lambda: self.reconciler.routes
        self._watches = Watches(
            *(resolver, self.reconciler, lists, self._durations.forget, self._fleet),
            keys=self._keys,
            keep=lambda: self._notifier.kept.look(lambda: relay.sockets),
        )
        self._encode = handing(self.reconciler, feeds.woken)
        leave(self.reconciler, relay, self._transfer, self._encode)
        self._doors = Doors(
            self.reconciler, Figures(self.reconciler, relay, self._transfer, self._durations)
        )

    async def start(self) -> None:
        """Install every route, then answer on the admin socket and at the other configured places.
        Raises ConfigError and RunError, with nothing left running.
        """
        async with AsyncExitStack() as opened:
            await self._open(opened)
            self._opened = opened.pop_all()

    async def _open(self, opened: AsyncExitStack) -> None:
        """Start part by part; each part adds its closing to `opened`, so the last closes first."""
        watch = self._watches.of_file(self._settings.config)
        if self._access is not None:
            opened.callback(self._access.close)
            self._access.open()
        for close in (self._inherited.close_rest, self._notifier.close, self._feeds.close):
            opened.callback(close)
        self._token.read()
        self._token.take_over()
        opened.push_async_callback(self._doors.stop)
        self._doors.bind(
            "off" if self._successor else self._settings.admin,
            os.environ,
            name=self._settings.name,
            api=self._settings.api,
            token=self._token,
            monitor=self._settings.metrics,
            inherited=self._inherited,
        )
        opened.callback(self._relay.close)
        if self._kernel is None:
            await assemble.retire_rules()
        else:
            opened.push_async_callback(self._kernel.close)
        for close in (self.reconciler.events.close, self._watches.close):
            opened.callback(close)
        self._watches.open()
        opened.push_async_callback(self._transfer.close)
        if self._successor is not None:
            opened.callback(self._successor.close)
        await self._feeds.serve(self.reconciler)
        await self._fleet.start()
        await self.reconciler.start()
        self._fleet.begin(self.reconciler)
        if self._successor is not None:
            self._doors.replace(self._successor.admin)
            await self._transfer.take_over(self._successor, self._inherited, self._doors.take_place)
            go_on(self.reconciler, self._successor.wishes)
            self.reconciler.look_for_denied()
        elif not (
            self._left.take_back(self._relay, self._inherited, self._transfer, self.reconciler)
            or (self._kernel is not None and self._kernel.opened)
        ):
            await outlast(assemble.ports_of(self.reconciler.routes))
        outlive(self._relay, self._doors.path, self._settings)
        if self._doors.path is not None:
            await self._transfer.offer(
                self._doors.path,
                lambda: self._doors.sockets,
                prepared(self.reconciler.still),
                self._encode,
                self._let_go,
            )
        await self._watches.watch(watch, self._settings.config)
        assemble.say_unused(self._inherited)
        readiness = Readiness(self._settings, self._notifier, self.reconciler, self._doors.path)
        opened.callback(readiness.close)
        await readiness.begin(self._doors.start)

    async def leave(self, stop: asyncio.Event) -> None:
        """Another process has the routes: let sessions end until `stop`; answer till it does."""
        answering = spawn(self._answer_until_replaced(), "answer until the successor does")
        await self._transfer.stay(stop, answering)
        answering.cancel()

    async def _answer_until_replaced(self) -> None:
        self.reconciler.events.close()
        await self._doors.until_replaced(_REPLACED)
        await self._doors.drain(ONWARD)
        await self._doors.stop()

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """Stop as the numbered list above says; setting `hurry` ends line 3."""
        grace = self._settings.grace
        self._notifier.stopping(f"open sessions may end for {grace:g} s")  # 1
        await self._fleet.close()  # no fleet may send clients here any more
        draining = spawn(self.reconciler.stop(grace), "drain")  # 1 to 4
        hurried = spawn((hurry or asyncio.Event()).wait(), "hurry")
        await asyncio.wait({draining, hurried}, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if draining.done():
            tell_cut(draining.result(), grace)
        else:
            draining.cancel()
            log.event(log.WARNING, "sessions_cut", "open sessions are cut without further grace")
        await asyncio.wait({draining})
        await self._transfer.leave()
        await self._opened.aclose()  # 5

    async def reload(self) -> None:
        """Read the sources and the token again, and open the access log again."""
        self._notifier.reloading()
        if self._access is not None:
            self._access.reopen()
        try:
            await self.reconciler.reload()
        finally:
            self._notifier.ready(in_a_line(self.reconciler.routes, self.reconciler.status))

    def _session_ended(self, record: SessionRecord) -> None:
        debug_log.tell(record)
        self._durations(record)
        if self._access is not None:
            self._access(record)

    def _let_go(self, successor: int) -> None:
        """Process `successor` has the routes: change nothing from now on."""
        self.reconciler.leave()
        self._notifier.succeeded_by(successor)
        self._watches.close()
        self.handed_over.set()
