"""An ambassador inside its namespace: reconciler and planes on a loop of their own, or the whole
program as a process.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop
from prometheus_client.parser import text_string_to_metric_families

from ambassador.control.reconciler import Reconciler
from ambassador.core.commands import Command
from ambassador.model import Address, Endpoint, Health, Inet, Proto, Route, Snapshot
from ambassador.planes.kernel.conntrack import DELETE, Conntrack
from ambassador.planes.kernel.entry import Flow
from ambassador.planes.kernel.fullness import FullnessWatch, with_fullness
from ambassador.planes.kernel.messages import ACK, message
from ambassador.planes.kernel.netlink import NetlinkSocket
from ambassador.planes.kernel.plane import KernelPlane
from ambassador.planes.kernel.privilege import look
from ambassador.planes.relay.plane import RelayPlane
from ambassador.ports import AddressProbed, RouteStatus, SessionRecord
from ambassador.probes.verifier import ConnectVerifier
from ambassador.sources.env import EnvironmentSource
from ambassador.sources.networks import NetworkLists
from ambassador.telemetry.access_log import line
from ambassador.telemetry.durations import Durations
from ambassador.telemetry.prometheus import Facts, MetricsText
from tests.loops import LoopThread
from tests.names import StaticResolver
from tests.netns import Network
from tests.wait import until

__all__ = ["Ambassador", "Program", "route"]


def route(
    listen: int | Inet,
    *endpoints: str,
    name: str = "redis",
    proto: Proto = Proto.TCP,
    **options: Any,
) -> Route:
    """Return a route from a port of all addresses to endpoints written `host:port`."""
    address: Address = Inet("", listen) if isinstance(listen, int) else listen
    count = len(address.ports) if isinstance(address, Inet) else 1
    found = []
    for text in endpoints:
        host, _, first = text.rpartition(":")
        last = int(first) + count - 1 if count > 1 else 0
        found.append(Endpoint(Inet(host.strip("[]"), int(first), last), proto))
    return Route(name, address, tuple(found), proto, **options)


class _Wish:
    """A source that says what the test wants."""

    name = "test"
    guess = False

    def __init__(self) -> None:
        self.routes: tuple[Route, ...] = ()

    def read(self) -> Snapshot:
        return Snapshot(self.name, self.routes)


class Ambassador:
    """Carries routes in the namespace `ambassador` of a network by one plane, which is demanded
    unless it has an `nft` of its own.
    """

    def __init__(self, network: Network, plane: str, nft: str = "") -> None:
        self.plane = plane
        self._nft = nft
        self.resolver = StaticResolver()
        self._network = network
        self._wish = _Wish()
        self._loop = LoopThread(network.ambassador, uvloop.new_event_loop)
        self._conntrack = Conntrack()
        self._fullness = FullnessWatch()
        self.ended: list[SessionRecord] = []  # every session that has, in order
        self._durations = Durations()
        self._loop.do(self._start())

    async def _start(self) -> None:
        kernel = KernelPlane(
            self.resolver,
            replace(look(), nft=self._nft) if self._nft else look(),
            demanded=not self._nft,
            keep_rules=False,
            closed=self._closed,
            followed=True,
        )
        self._fronts = (kernel,) if self.plane == "kernel" else ()
        self._relay = RelayPlane(
            self.resolver,
            buffer=262144,
            backlog=4096,
            noticed=kernel.noticed if self._fronts else lambda *_: None,
            closed=self._closed,
            arrived=kernel.arrived if self._fronts else lambda *_: None,
        )
        self._reconciler = Reconciler(
            (self._wish,),
            self._relay,
            *self._fronts,
            verifier=ConnectVerifier(self.resolver, limit=1.0),
            read_assignments=lambda assignments: EnvironmentSource({}, assignments).read(),
            admission=NetworkLists(),
            of_host=with_fullness,
        )
        self._fullness.open()
        await self._reconciler.start()

    def set(self, *routes: Route) -> None:
        """Let these be the routes; each must be carried by the plane of this test, but those that
        follow a primary, of which nothing is known yet.
        """
        self._wish.routes = routes
        assert self._loop.do(self._reconciler.reload())
        until(
            lambda: {one.plane for one in self.statuses() if not one.route.led} <= {self.plane},
            what=f"every route in the {self.plane}: {self.statuses()}",
        )

    def change(self, name: str, *endpoints: str) -> None:
        """Give the route `name` other endpoints, in place."""
        self.set(
            *(
                replace(one, endpoints=route(one.listen, *endpoints, proto=one.proto).endpoints)
                if one.name == name
                else one
                for one in self._wish.routes
            )
        )

    def without(self, name: str) -> list[Route]:
        """Return the routes but for the one called `name`."""
        return [one for one in self._wish.routes if one.name != name]

    def execute(self, command: Command) -> Any:
        """Do what an operator asks."""
        return self._loop.do(self._reconciler.execute(command, who="ann"))

    def start(self, working: Callable[[Reconciler], Coroutine[Any, Any, None]]) -> Future[None]:
        """Begin to do `working` beside all else; return what will have its end."""
        return self._loop.start(working(self._reconciler))

    def judge(
        self,
        endpoint: str,
        health: Health,
        name: str = "redis",
        addresses: Sequence[AddressProbed] = (),
    ) -> None:
        """Let this be what probes say of an endpoint written `host:port`, and of the `addresses` of
        its name.
        """
        (one,) = [one for one in self._wish.routes if one.name == name]
        address = route(one.listen, endpoint, proto=one.proto).endpoints[0].address
        key = one.proto, one.listen
        self._loop.do(self._reconciler.judge(key, address, health, "no", addresses))

    def renew_networks(self, path: Path) -> None:
        """Let the file of networks at `path`, which has changed, count."""
        self._loop.do(self._reconciler.renew_networks(str(path)))

    def resolve(self, host: str, *addresses: str) -> None:
        """Let the name `host` have these addresses from now on."""
        self._loop.call(self.resolver.answer, host, *addresses)

    def statuses(self) -> list[RouteStatus]:
        self._loop.do(self._reconciler.measure())
        return list(self._loop.call(self._reconciler.status))

    def status(self, name: str = "redis") -> RouteStatus:
        return next(status for status in self.statuses() if status.route.name == name)

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The lines of the access log of the route `name`."""
        return [json.loads(line(one, time.time())) for one in self.ended if one.route == name]

    def closed_total(self, name: str) -> dict[str, float]:
        """What /metrics says: the sessions of the route `name` that have ended, by reason."""

        async def facts() -> Facts:
            return Facts(True, statuses, ())

        statuses = self.statuses()
        text = MetricsText(facts, self._durations)
        return {
            sample.labels["reason"]: sample.value
            for family in text_string_to_metric_families(b"".join(self._loop.do(text())).decode())
            for sample in family.samples
            if sample.name == "ambassador_sessions_closed_total" and sample.labels["route"] == name
        }

    def drain(self) -> None:
        """Stop as the program does, without any grace."""
        for plane in (*self._fronts, self._relay):
            self._loop.do(plane.drain(0.0))

    def _closed(self, record: SessionRecord) -> None:
        self._durations(record)
        self.ended.append(record)

    def flows(self, ports: Iterable[int], proto: Proto = Proto.TCP) -> list[Flow]:
        """The flows that the kernel forwards from `ports`."""
        return self._loop.do(self._conntrack.flows(proto, list(ports)))

    def forget_flows(self) -> None:
        """Let conntrack forget everything, as `conntrack -F` does."""

        def forget() -> None:
            netlink = NetlinkSocket()
            number = netlink.sequence()
            netlink.perform([message(DELETE, ACK, number, socket.AF_UNSPEC, b"")])
            netlink.close()

        self._network.ambassador.call(forget)

    def close(self) -> None:
        self._loop.call(self._reconciler.events.close)
        self._loop.call(self._reconciler.leave)
        for front in self._fronts:
            self._loop.do(front.close())
        self._loop.call(self._fullness.close)
        self._loop.call(self._relay.close)
        self._loop.close()


class Program:
    """The program itself as a process in the namespace `ambassador`; its log goes to a file."""

    def __init__(
        self,
        network: Network,
        plane: str,
        log: Path,
        *assignments: str,
        before: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        own = {"AMBASSADOR_PLANE": plane, "AMBASSADOR_LOG": "json"}
        environ = {**os.environ, **own, **(environ or {})}
        self._log = log
        with log.open("wb") as writing:
            self.process = network.ambassador.start(
                *(*before, sys.executable, "-m", "ambassador", "run", *assignments),
                env={**environ, "AMBASSADOR_ADMIN": "off"},
                stderr=writing,
            )
        until(lambda: self.events("ready"), 20, what="it starts")
        self.started = self.events("route_started")[0]

    def events(self, name: str) -> list[dict[str, Any]]:
        """What it has logged under this name so far. Fails when it has ended."""
        text = self._log.read_bytes()
        assert self.process.poll() is None, f"it has ended: {text.decode()}"
        told = [json.loads(line) for line in text.split(b"\n")[:-1]]
        return [event for event in told if event["event"] == name]

    def stop(self) -> None:
        """End it as an operator does."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0

    def kill(self) -> None:
        """End it as the kernel does when memory runs out."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
