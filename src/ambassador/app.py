"""Puts the concrete parts together and runs them: the only module that knows them all.

Stop order, each line with its limit:

    1  readiness is taken back                                        at once
    2  the kernel forwards no new connections (unless `keep_rules`); clients that wait in the
       backlogs are accepted, then listeners close                             at once
    3  open sessions may end, also those in the kernel       `grace`, or a second signal
    4  what is left is cut, both sides see a reset          at once; in the kernel 1.2 s
    5  our rules go, the admin socket goes, names are asked for no longer         0.2 s
    6  exit code 0
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from ambassador import closed, log
from ambassador.access import AccessLog
from ambassador.admin.doors import Doors
from ambassador.admin.token import read_token
from ambassador.core.hostsfile import HostsLine, parse_hosts
from ambassador.metrics.ended import Ended
from ambassador.metrics.text import Facts, MetricsText
from ambassador.model import Route, Snapshot
from ambassador.planes.kernel.nft import Nft
from ambassador.planes.kernel.plane import KernelPlane
from ambassador.planes.kernel.privilege import acquire, look
from ambassador.planes.kernel.table import retire
from ambassador.planes.relay.descriptors import raise_limit
from ambassador.planes.relay.plane import RelayPlane
from ambassador.ports import SessionRecord, Source
from ambassador.probes.checks import HealthChecks
from ambassador.probes.connect import ConnectVerifier
from ambassador.reconciler import Phase, Reconciler
from ambassador.resolve.resolver import NameResolver
from ambassador.settings import SETTINGS, Settings
from ambassador.sources.env import EnvironmentSource
from ambassador.sources.file import FileSource
from ambassador.sources.hosts import HostsSource
from ambassador.sources.watch import FileWatch
from ambassador.store import FileStore
from ambassador.tasks import spawn

__all__ = ["App", "new_loop", "serve", "sources", "token"]

_HOSTS = Path("/etc/hosts")
_NOT_OF_THREADS = 0x20000000  # __WNOTHREAD, wait(2)
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

    def __init__(self, settings: Settings, sources: Sequence[Source]) -> None:
        self._settings = settings
        self._resolver = NameResolver()
        self._ended = Ended()
        self._access = AccessLog(settings.access_log) if settings.access_log else None
        self._kernel = self._kernel_plane()
        self._relay = RelayPlane(
            self._resolver,
            buffer=settings.buffer,
            backlog=settings.backlog,
            noticed=self._kernel.noticed if self._kernel else lambda *_: None,
            closed=self._closed,
        )
        fronts = [self._kernel] if self._kernel else []
        self.reconciler = Reconciler(
            sources,
            self._relay,
            *fronts,
            verifier=ConnectVerifier(self._resolver),
            store=FileStore(Path(settings.state), _assigned) if settings.state else None,
            read_assignments=_assigned,
            installed=self._follow,
        )
        self._doors = Doors(self.reconciler, MetricsText(self._facts, self._ended))
        self._checks = HealthChecks(self._resolver, self.reconciler.judge)
        self._watching: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Install every route, then answer on the admin socket and where else it is asked for.

        Raises ConfigError and RunError, with nothing left running.
        """
        config = self._settings.config
        watch = FileWatch(Path(config), self.reconciler.reload) if config else None
        try:
            if self._access is not None:
                self._access.open()
            self._doors.bind(
                self._settings.admin,
                os.environ,
                api=self._settings.api,
                token=token(self._settings),
                monitor=self._settings.metrics,
            )
            if self._kernel is None:
                await self._retire_rules()
            await self.reconciler.start()
        except BaseException:
            await self._close()
            raise
        if watch is not None:
            self._watching.append(spawn(watch.run(), f"watch {config}"))
        await self._doors.start()

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """Stop as the numbered list above says; `hurry`, when set, ends line 3."""
        grace = self._settings.grace
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
        await self._close()

    async def _close(self) -> None:
        self._checks.close()
        for task in self._watching:
            task.cancel()
        self.reconciler.events.close()
        if self._kernel is not None:
            await self._kernel.close()
        self._relay.close()
        await self._doors.stop()
        self._resolver.close()
        if self._access is not None:
            self._access.close()

    async def reload(self) -> None:
        """Read the sources again, and open the access log anew."""
        if self._access is not None:
            self._access.reopen()
        await self.reconciler.reload()

    def _closed(self, record: SessionRecord) -> None:
        closed.tell(record)
        self._ended(record)
        if self._access is not None:
            self._access(record)

    def _facts(self) -> Facts:
        reconciler = self.reconciler
        return Facts(reconciler.phase is Phase.READY, reconciler.status(), reconciler.sources)

    def _follow(self, routes: Sequence[Route]) -> None:
        self._checks.follow(routes)

    def _kernel_plane(self) -> KernelPlane | None:
        if self._settings.plane == "relay":
            return None
        acquire()
        return KernelPlane(
            self._resolver,
            look(),
            demanded=self._settings.plane == "kernel",
            keep_rules=self._settings.keep_rules,
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

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask_to_stop, number.name)
    if os.getpid() == 1:
        # Not the loop's own way: uvloop keeps SIGCHLD for itself and refuses it.
        signal.signal(signal.SIGCHLD, lambda *_: _reap())
    raise_limit()
    app = App(settings, sources)
    loop.add_signal_handler(signal.SIGHUP, lambda: spawn(app.reload(), "reload on SIGHUP"))
    await app.start()
    await stop.wait()
    await app.stop(hurry)
    log.event(log.INFO, "stopped", "stopped")


def _reap() -> None:
    """Take leave of orphans: as process 1 every process of the container whose parent is gone
    is our child, and stays a zombie until we ask for it (wait(2)). Children that a thread of ours
    started are its own to wait for.
    """
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG | _NOT_OF_THREADS)[0]:
            pass
