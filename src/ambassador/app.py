"""Puts the concrete parts together and runs them: the only module that knows them all.

Stop order, each line with its limit:

    1  readiness is taken back                                        at once
    2  the kernel forwards no new connections (unless `keep_rules`); clients that wait in the
       backlogs are accepted, then listeners close; those who are held are reset   at once
    3  open sessions may end, also those in the kernel       `grace`, or a second signal
    4  what is left is cut, both sides see a reset          at once; in the kernel 1.2 s
    5  our rules go, workers end, the admin socket goes, names are asked for no longer
                                            0.2 s; a worker that does not end, 2 s
    6  exit code 0
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from functools import partial
from pathlib import Path

from ambassador import log
from ambassador.admin.doors import Doors
from ambassador.admin.token import Token, read_token
from ambassador.control.reconciler import Phase, Reconciler
from ambassador.core.hostsfile import HostsLine, parse_hosts
from ambassador.core.offload import workers
from ambassador.core.plan import Step
from ambassador.errors import ConfigError, Problem
from ambassador.handover.heritage import Heritage
from ambassador.handover.predecessor import Predecessor
from ambassador.handover.successor import HandedStore, Successor
from ambassador.handover.transfer import Estate, Transferable
from ambassador.model import Inet, Proto, Snapshot
from ambassador.planes.kernel.leftover import outlast
from ambassador.planes.kernel.nft import Nft
from ambassador.planes.kernel.plane import KernelPlane
from ambassador.planes.kernel.privilege import acquire, look
from ambassador.planes.kernel.table import retire
from ambassador.planes.kernel.tracking import fill
from ambassador.planes.relay.cores import cores
from ambassador.planes.relay.descriptors import raise_limit
from ambassador.planes.relay.plane import RelayPlane
from ambassador.ports import SessionRecord, Source, StateStore
from ambassador.probes.checks import HealthChecks
from ambassador.probes.verifier import ConnectVerifier
from ambassador.resolve.resolver import NameResolver
from ambassador.settings import SETTINGS, Settings
from ambassador.sockets.inherited import Inherited, address_of
from ambassador.sockets.systemd import Notifier, listening
from ambassador.sources.env import EnvironmentSource
from ambassador.sources.file import FileSource
from ambassador.sources.given import GivenSource
from ambassador.sources.hosts import HostsSource
from ambassador.sources.watch import FileWatch
from ambassador.store import FileStore
from ambassador.tasks import Coalesced, spawn
from ambassador.telemetry import debug_log
from ambassador.telemetry.access_log import AccessLog
from ambassador.telemetry.durations import Durations
from ambassador.telemetry.prometheus import Facts, MetricsText

__all__ = ["App", "new_loop", "serve", "sources", "token"]

_HOSTS = Path("/etc/hosts")
_NOT_OF_THREADS = 0x20000000  # __WNOTHREAD, wait(2)
_NO_WAY = Problem(
    "AMBASSADOR_UPGRADE",
    "needs an admin socket: beside it, one ambassador takes over from another",
    "AMBASSADOR_ADMIN=off",
    "AMBASSADOR_ADMIN=PATH, the same as of the one that runs",
)
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def sources(
    settings: Settings, environ: Mapping[str, str], arguments: Sequence[str]
) -> tuple[Source, ...]:
    """Return where routes come from, the plainest word first."""
    file = (FileSource(Path(settings.config)),) if settings.config else ()
    return (
        EnvironmentSource(
            environ,
            arguments,
            routes=settings.routes,
            in_pod=_SERVICE_ACCOUNT.is_dir(),
            others=bool(file),
            hosts=_hosts(),
        ),
        *file,
        HostsSource(hostname=socket.gethostname(), ports=settings.ports, routes=settings.routes),
    )


def _assigned(assignments: Sequence[str]) -> Snapshot:
    """Return the routes of `assignments`, read like arguments of `run`."""
    return EnvironmentSource({}, assignments).read()


def token(settings: Settings) -> str:
    """Return the token of the API over TCP, empty where there is none. Raises ConfigError."""
    if settings.api is None:
        return ""
    return read_token(settings.api_token, settings.api_token_file, SETTINGS["api_token"].parse)


def _hosts() -> tuple[HostsLine, ...]:
    try:
        return parse_hosts(_HOSTS.read_text(errors="replace"))
    except OSError:
        return ()  # no file: nothing is named


def new_loop(settings: Settings) -> asyncio.AbstractEventLoop:
    """Return the event loop that `settings` ask for."""
    if settings.loop == "asyncio":
        return asyncio.SelectorEventLoop()
    import uvloop  # noqa: PLC0415 (25 ms that `--loop asyncio` and other verbs are spared)

    return uvloop.new_event_loop()


class App:
    """A whole ambassador inside the running event loop."""

    def __init__(
        self,
        settings: Settings,
        sources: Sequence[Source],
        taker: Successor | None = None,
        environ: MutableMapping[str, str] | None = None,
    ) -> None:
        environ = {} if environ is None else environ
        self._notifier = Notifier(environ)
        given = [] if taker else listening(environ)
        self.handed_over = asyncio.Event()
        self._settings = settings
        self._taker = taker
        self._inherited = Inherited(
            taker.sockets if taker else [sock for _, sock in given],
            provisional=taker is not None,
            lasting=taker is None,
        )
        self._giver: Predecessor | None = None
        self._token = Token(lambda: token(settings))
        self._resolver = NameResolver()
        self._ended = Durations()
        self._access = AccessLog(settings.access_log) if settings.access_log else None
        self._kernel = self._kernel_plane()
        self._relay = RelayPlane(
            self._resolver,
            buffer=settings.buffer,
            backlog=settings.backlog,
            workers=workers(settings.workers, cores()),
            noticed=self._kernel.noticed if self._kernel else lambda *_: None,
            inherited=self._inherited,
            closed=self._closed,
        )
        self._heritage = Heritage(self._resolver, self._relay, self._kernel, self._ended.account)
        fronts = [self._kernel] if self._kernel else []
        places = {
            (Proto.UDP if sock.type == socket.SOCK_DGRAM else Proto.TCP, name): place
            for name, sock in given
            if name and (place := address_of(sock))
        }
        self.reconciler = Reconciler(
            [GivenSource(source, places) for source in sources] if places else sources,
            self._relay,
            *fronts,
            verifier=ConnectVerifier(self._resolver),
            store=self._store(),
            read_assignments=_assigned,
            installed=self._follow,
            former=self._heritage.former,
            besides=[self._token] if settings.api is not None else [],
        )
        self._doors = Doors(self.reconciler, MetricsText(self._facts, self._ended))
        self._checks = HealthChecks(self._resolver, self.reconciler.judge)
        self._watching: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Install every route, then answer on the admin socket and where else it is asked for.

        Raises ConfigError and RunError, with nothing left running.
        """
        config = self._settings.config
        reload = partial(self.reconciler.reload, asked=False)
        watch = FileWatch(Path(config), reload) if config else None
        try:
            if self._access is not None:
                self._access.open()
            self._token.read()
            self._token.take_over()
            self._doors.bind(
                "off" if self._taker else self._settings.admin,
                os.environ,
                api=self._settings.api,
                token=self._token,
                monitor=self._settings.metrics,
                inherited=self._inherited,
            )
            if self._kernel is None:
                await self._retire_rules()
            await self.reconciler.start()
            if self._taker is not None:
                await self._take_over(self._taker)
            elif self._kernel is None or not self._kernel.opened:
                await outlast(self._ports())
        except BaseException:
            await self._close()
            raise
        if self._doors.path is not None:
            self._giver = Predecessor(self._doors.path, self._estate())
            self._giver.start()
        if watch is not None:
            self._watching.append(spawn(watch.run(), f"watch {config}"))
        self._notifier.ready(self._line())
        for name in self._inherited.untaken:
            log.event(
                log.WARNING,
                "listener_unused",
                f"systemd listens on {name}, and no route here does: its clients wait in vain",
                listener=name,
            )
        await self._doors.start()

    def _line(self) -> str:
        """Return what `systemctl status` shows."""
        statuses = self.reconciler.status()
        shown = ", ".join(f"{one.route.name} ({one.plane})" for one in statuses[:5])
        count = f"{len(statuses)} route{'' if len(statuses) == 1 else 's'}"
        return f"{count}: {shown}{', ...' if len(statuses) > 5 else ''}"

    async def _take_over(self, taker: Successor) -> None:
        """All is installed: let the predecessor go and accept in its place."""
        await taker.ready()
        self._doors.replace(taker.admin)
        await taker.done()
        self._inherited.own(taker.kept)
        self._relay.begin()
        self._heritage.take_over(taker)
        for name in self._inherited.close_rest():
            log.event(
                log.WARNING,
                "listener_closed",
                f"the former ambassador listened on {name}; no route here does: closed",
                listener=name,
            )
        log.event(log.INFO, "taken_over", f"taken over from process {taker.pid}", pid=taker.pid)

    async def leave(self, stop: asyncio.Event) -> None:
        """Another has the routes: let open sessions end, however long they take, until `stop`."""
        await self._doors.stop()
        if self._giver is not None:
            await self._heritage.stay(self._giver)
        ended = spawn(self._relay.ended(), "open sessions")
        stopped = spawn(stop.wait(), "stop")
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, stopped):
            task.cancel()

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """Stop as the numbered list above says; `hurry`, when set, ends line 3."""
        grace = self._settings.grace
        self._notifier.stopping(f"open sessions may end for {grace:g} s")
        draining = spawn(self.reconciler.stop(grace), "drain")
        hurried = spawn((hurry or asyncio.Event()).wait(), "hurry")
        await asyncio.wait({draining, hurried}, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not draining.done():
            draining.cancel()
            log.event(log.WARNING, "sessions_cut", "open sessions are cut without further grace")
        elif left := draining.result():
            what = f"{left} sessions were" if left > 1 else "1 session was"
            log.event(
                log.WARNING,
                "sessions_cut",
                f"{what} still open after {grace:g} s and cut",
                sessions=left,
            )
        await asyncio.wait({draining})
        await self._heritage.leave()
        await self._close()

    async def _close(self) -> None:
        if self._giver is not None:
            self._giver.close()
        if self._taker is not None:
            self._taker.close()
        self._checks.close()
        await self._heritage.close()
        for task in self._watching:
            task.cancel()
        self.reconciler.events.close()
        if self._kernel is not None:
            await self._kernel.close()
        self._relay.close()
        await self._doors.stop()
        self._resolver.close()
        self._notifier.close()
        self._inherited.close_rest()
        if self._access is not None:
            self._access.close()

    async def reload(self) -> None:
        """Read the sources and the token again, and open the access log anew."""
        self._notifier.reloading()
        if self._access is not None:
            self._access.reopen()
        try:
            await self.reconciler.reload()
        finally:
            self._notifier.ready(self._line())

    def _closed(self, record: SessionRecord) -> None:
        debug_log.tell(record)
        self._ended(record)
        if self._access is not None:
            self._access(record)

    def _facts(self) -> Facts:
        reconciler = self.reconciler
        statuses = reconciler.status()
        before = self._heritage.before(one.route for one in statuses)
        ready = reconciler.phase is Phase.READY
        carrying = len(self._relay.offload.workers)
        dropped, tracked = log.dropped(), fill() if self._kernel else None
        return Facts(ready, statuses, reconciler.sources, before, carrying, dropped, tracked)

    def _estate(self) -> Estate:
        parts: list[Transferable] = [self._relay]
        if self._kernel is not None:
            parts += [self._heritage.last_look, self._kernel]
        return Estate(
            parts,
            lambda: self._doors.sockets,
            self.reconciler.still,
            FileStore.encode,
            self._gone,
            legacy=self._heritage.legacy,
        )

    def _gone(self, successor: int) -> None:
        self.reconciler.leave()
        self._notifier.succeeded_by(successor)
        self._checks.close()
        for task in self._watching:
            task.cancel()
        left = sum(status.open for status in self._relay.status())
        log.event(
            log.INFO,
            "handed_over",
            f"process {successor} has taken over{_what_goes_on(left)}",
            pid=successor,
            sessions=left,
        )
        self.handed_over.set()

    def _store(self) -> StateStore | None:
        store = FileStore(Path(self._settings.state), _assigned) if self._settings.state else None
        if self._taker is None:
            return store
        read = FileStore(Path("what was handed over"), _assigned).decode
        return HandedStore(self._taker.wishes.decode(), read, store)

    def _follow(self, steps: Sequence[Step]) -> None:
        self._checks.change(steps)

    def _ports(self) -> list[tuple[Proto, int]]:
        """Return every port that a route listens on."""
        return [
            (one.route.proto, port)
            for one in self.reconciler.status()
            if isinstance(one.route.listen, Inet)
            for port in one.route.listen.ports
        ]

    def _kernel_plane(self) -> KernelPlane | None:
        if self._settings.plane == "relay":
            return None
        acquire()
        return KernelPlane(
            self._resolver,
            look(),
            demanded=self._settings.plane == "kernel",
            keep_rules=self._settings.keep_rules,
            inherited=self._inherited,
            closed=self._closed,
            followed=self._access is not None,
        )

    async def _retire_rules(self) -> None:
        acquire()
        abilities = look()
        if not abilities.missing:
            await retire(Nft(abilities.nft))


async def serve(settings: Settings, sources: Sequence[Source]) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP reloads; a second signal ends the grace.

    Raises ConfigError and RunError when it cannot start, with nothing left running.
    """
    loop = asyncio.get_running_loop()
    stop, hurry = asyncio.Event(), asyncio.Event()

    def ask_to_stop(name: str) -> None:
        (hurry if stop.is_set() else stop).set()
        log.event(log.INFO, "signal", f"{name}: stopping", signal=name)

    started = asyncio.Event()

    async def reload() -> None:
        await started.wait()
        await app.reload()

    reloads = Coalesced(reload, "reload on SIGHUP")
    loop.add_signal_handler(signal.SIGHUP, reloads.ask)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGHUP,))  # see cli.main
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask_to_stop, number.name)
    if os.getpid() == 1:
        # Not the loop's own way: uvloop keeps SIGCHLD for itself and refuses it.
        signal.signal(signal.SIGCHLD, lambda *_: _reap())
    raise_limit()
    taker = None
    if settings.upgrade:
        if settings.admin == "off":
            raise ConfigError(_NO_WAY)
        from ambassador.admin.client import find  # noqa: PLC0415 (only an upgrade needs it)

        taker = await Successor.ask(find(os.environ, settings.admin))
    app = App(settings, sources, taker, os.environ)
    await app.start()
    _leave_the_loop_its_turns()
    started.set()
    waits = [spawn(stop.wait(), "stop"), spawn(app.handed_over.wait(), "successor")]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    if app.handed_over.is_set():
        await app.leave(stop)
    await app.stop(hurry)
    log.event(log.INFO, "stopped", "stopped")


def _leave_the_loop_its_turns() -> None:
    """Have neither threads nor the collector of garbage keep sessions waiting.

    A thread that works has the interpreter for 5 ms each time the loop comes back from a system
    call. A full collection goes through all there is: 50 ms with 3,000 routes. What is there after
    the start stays, and full collections are forty times rarer: few cycles are made here.
    """
    sys.setswitchinterval(0.0005)
    gc.freeze()
    gc.set_threshold(5000, 10, 400)


def _what_goes_on(left: int) -> str:
    if not left:
        return ""
    sessions = "1 open session goes" if left == 1 else f"{left} open sessions go"
    return f"; {sessions} on here until the end (SIGTERM gives it the grace)"


def _reap() -> None:
    """Take leave of orphans: as process 1 every process of the container whose parent is gone
    is our child, and stays a zombie until we ask for it (wait(2)). Children that a thread of ours
    started are its own to wait for.
    """
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG | _NOT_OF_THREADS)[0]:
            pass
