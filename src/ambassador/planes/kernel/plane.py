"""The kernel plane: a fast path in front of the relay.

A route whose ways are installed is forwarded by nftables, without work of our process. Where there
is no way, packets reach the listener of the relay. So the relay serves in every exception: an
endpoint does not answer, a name has no address, nft fails.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from ambassador import log
from ambassador.core.plan import AddRoute, ChangeRoute, Step
from ambassador.errors import PlaneError
from ambassador.model import Endpoint, Reason, Route
from ambassador.planes.kernel.allowance import Allowance
from ambassador.planes.kernel.changes import Changes
from ambassador.planes.kernel.doubts import Doubts
from ambassador.planes.kernel.eligible import Abilities, demand, unable, unable_to_end, unsuited
from ambassador.planes.kernel.entry import Flow
from ambassador.planes.kernel.fence import fence
from ambassador.planes.kernel.flows import Flows
from ambassador.planes.kernel.healing import Healing
from ambassador.planes.kernel.host import Host
from ambassador.planes.kernel.installer import Installer
from ambassador.planes.kernel.leftover import flows_unseen
from ambassador.planes.kernel.life import Event
from ambassador.planes.kernel.listing import ID, Listed, open_flows
from ambassador.planes.kernel.names import Names
from ambassador.planes.kernel.nft import Nft
from ambassador.planes.kernel.orphans import Orphans
from ambassador.planes.kernel.questions import LOCK
from ambassador.planes.kernel.registry import Registry
from ambassador.planes.kernel.removed import RemovedRoutes
from ambassador.planes.kernel.route import KernelRoute
from ambassador.planes.kernel.standing import ambassador_stands
from ambassador.planes.kernel.steps import take
from ambassador.planes.kernel.table import Table
from ambassador.planes.kernel.watch import RulesetWatch
from ambassador.ports import Resolver, RouteStatus, SessionEnded, SessionStatus, unheard
from ambassador.sockets.inherited import Inherited
from ambassador.tasks import spawn

__all__ = ["KernelPlane"]


class KernelPlane:
    """Forwards TCP and UDP routes with nftables.

    `demanded`: a route that cannot be in the kernel is an error, and not left to the relay.
    `keep_rules`: the table stays when the plane is closed. `accept`: chains of this host that drop
    what we forward get a rule that accepts it (Allowance). `closed` is called at the end of flows:
    of all, if `followed`, else with the log at debug level.
    """

    name = "kernel"

    def __init__(
        self,
        resolver: Resolver,
        abilities: Abilities,
        *,
        demanded: bool,
        keep_rules: bool,
        accept: bool = False,
        closed: SessionEnded = unheard,
        followed: bool = False,
        inherited: Inherited | None = None,
    ) -> None:
        self._abilities = abilities
        # Forwarding may be turned on and off at any time: `Doubts` sees to that.
        self._steady = replace(abilities, no_ipv4="", no_ipv6="")
        self._demanded = demanded
        self._keep_rules = keep_rules
        self._inherited = inherited or Inherited()
        lock = self._inherited.take_abstract(LOCK)
        self._healing = Healing(self._restore)
        self._watch = RulesetWatch(self._healing.suspect)
        nft = Nft(abilities.nft, ambassador_stands)
        self._table = Table(nft, lock, keep_rules=keep_rules, watch=self._watch)
        can_cut, felt = not abilities.no_cut, self._table.felt
        self._flows = Flows(can_cut=can_cut, closed=closed, followed=followed, felt=felt)
        self._installer = Installer(self._table, self._flows)
        self._lock = asyncio.Lock()  # one transaction at a time
        self._opened = self._closing = False
        self._refusal = abilities.missing
        self._routes = Registry()
        self._changes = Changes(self._routes, self._table, self._installer, self._lock, self._judge)
        self._names = Names(resolver, self._changes.change)
        self._host = Host(nft, self._look_over)
        self._allowance = Allowance(self._host, nft, wanted=accept)
        self._doubts = Doubts(
            self._routes, self._host, self._table, self._changes.change, guards=not demanded
        )
        self._removed = RemovedRoutes(self._routes)
        self._orphans, self._listed = Orphans(), Listed()

    @property
    def opened(self) -> bool:
        """Whether we have the table, and may change it."""
        return self._opened

    async def prepare(self, steps: Sequence[Step]) -> None:
        """Raise where `steps` cannot be performed as demanded; see ports.Plane."""
        routes = [step.route for step in steps if isinstance(step, AddRoute)]
        routes += [step.new for step in steps if isinstance(step, ChangeRoute)]
        if self._demanded:
            demand(routes, self._abilities)
        for step in steps:
            if isinstance(step, ChangeRoute):
                kernel_route = self._routes.get(step.old.key)
                here = kernel_route is not None and not kernel_route.refusal
                if here and (reason := unable_to_end(step, self._abilities)):
                    raise PlaneError(reason)
        async with self._lock:
            await self._open(routes)

    async def apply(self, steps: Sequence[Step]) -> None:
        """Perform all steps; see ports.Plane. Fails only where the kernel plane is demanded, or
        where nft does not take away the rules from before.
        """
        async with self._lock:
            await self._table.make_sure()
            replaced, come, bystanders = await take(steps, self._routes, self._judge)
            for kernel_route in come:
                kernel_route.adopt(self._orphans.take(kernel_route.ports))
            touched = [*come, *bystanders]
            try:
                if self._demanded and (refused := [c for c in touched if c.refusal]):
                    raise PlaneError("\n".join(f"{c.route.name}: {c.refusal}" for c in refused))
                if self._opened:
                    await self._names.follow(touched)
                    await self._allowance.see_to(touched)
                    self._doubts.look(touched)
                    if self._demanded:
                        added = {step.route.key for step in steps if isinstance(step, AddRoute)}
                        self._doubts.demand(one for one in come if one.route.key in added)
                    removed = [c for c in replaced if self._routes.get(c.route.key) is None]
                    self._removed.add(removed)  # first: the ends of its flows are told at once
                    if not await self._installer.settle(touched, removed, strict=self._demanded):
                        self._changes.failed(touched)
                    await self._see_to_orphans(come)
                    for kernel_route in touched:  # the reconciler says which plane each has
                        kernel_route.happened(Event.TOLD)
            except PlaneError:
                self._removed.remove(replaced)
                self._routes.swap(come, replaced)
                replaced = come
                self._changes.failed(bystanders)
                raise
            finally:
                for kernel_route in replaced:
                    kernel_route.stop_watching()

    def noticed(self, name: str, endpoint: Endpoint, address: str, reachable: bool) -> None:
        """Called by the relay: whether it could reach an endpoint; see ports.EndpointNoticed."""
        self._doubts.noticed(name, endpoint, address, reachable)

    def arrived(self, name: str, port: int, client: object) -> None:
        """Called by the relay at each client that has reached it; see ports.ClientArrived."""
        if not (self._healing.why or self._table.gives_way):  # else clients are expected there
            self._doubts.arrived(name, port, client)

    def status(self, routes: Sequence[Route] | None = None) -> Sequence[RouteStatus]:
        """Return one entry for each of `routes`, or for all; see ports.Plane."""
        found = [kernel_route.status() for kernel_route in self._routes.some(routes)]
        if self._refusal and (unseen := flows_unseen()):
            return [replace(one, why=f"{one.why}; {unseen}") for one in found]
        if why := self._healing.why or self._table.gives_way:
            ours = self.name
            found = [replace(s, plane="relay", why=why) if s.plane == ours else s for s in found]
        return found

    def hindrance(self, route: Route) -> str:
        """Return why the relay would carry `route`; see ports.Front."""
        return unsuited(route) or self._refusal or unable(route, self._abilities)

    async def measure(self, routes: Sequence[Route] | None = None) -> None:
        """Bring the numbers of `status` up to date; see ports.Plane."""
        if not (counted := self._counted(routes)):
            return
        belonging = {
            port: kernel_route.belongs | kernel_route.belonged
            for kernel_route in counted
            for port in kernel_route.ports
        }
        counting = spawn(self._flows.count(belonging), "open flows")
        try:
            counters = await self._table.counters() if routes is None else None
        finally:
            flows = await counting
        for kernel_route in counted:
            if counters is not None:
                kernel_route.count(counters)
            kernel_route.tally(flows)

    async def sessions(self, routes: Sequence[Route] | None = None) -> Sequence[SessionStatus]:
        """Return the open flows of `routes`, or of all; see ports.Plane."""
        if routes is None:
            return [view for view, _ in await self._all_flows()]
        return [view for view, _ in await open_flows(self._flows, self._counted(routes))]

    async def cut(self, ids: Collection[str], reason: Reason) -> int:
        """End flows; see ports.Plane."""
        flows = await self._listed.flows(ids, self._all_flows)
        return await self._flows.cut(flows, reason) if flows else 0

    def fence(self, route: Route) -> Callable[[], object]:
        """Stop all packets between clients of `route` and its endpoints; see ports.Front."""
        return fence(one.stops() if self._opened and (one := self._routes.get(route.key)) else ())

    async def untold(self, ids: Collection[str]) -> str:
        """Return a text about sessions that were cut without a reset of peers; see ports.Front."""
        return await self._flows.untold({int(one[1:]) for one in ids if one.startswith(ID)})

    async def _all_flows(self) -> Sequence[tuple[SessionStatus, Flow]]:
        """Return the open flows of all routes, also of removed routes."""
        departed = () if self._closing else self._removed
        found = await open_flows(self._flows, [*self._counted(), *departed])
        self._removed.forget()
        self._listed.keep(found)
        return found

    def _counted(self, routes: Sequence[Route] | None = None) -> list[KernelRoute]:
        return [one for one in self._routes.some(routes) if one.counted and not self._closing]

    async def drain(self, grace: float) -> int:
        """Send new clients to the relay, let flows end for `grace` seconds, cut the rest.

        With `keep_rules` everything stays as it is.
        """
        self._table.hurry(grace)
        async with self._lock:
            self._stop_following()
            counted = [one for one in self._routes.all if one.counted]
            ports = {port for one in (*counted, *self._removed) for port in one.ports}
            if self._keep_rules or not ports:
                return 0
            try:
                await self._installer.withdraw(counted)
                return await self._flows.drain(ports, grace)
            except PlaneError as error:
                log.event(log.WARNING, "not_drained", f"flows in the kernel are not seen: {error}")
                return 0

    async def lend(self) -> Sequence[socket.socket]:
        """Change the table no longer; return its lock, for a successor; see ports.Transferable."""
        await self._lock.acquire()
        self._watch.ignore()
        return [self._table.lock] if self._table.lock else []

    def pause(self) -> None:
        """Nothing is accepted here; see ports.Transferable."""

    async def take_back(self) -> None:
        """Have the table again, and install all routes: another process may have changed it."""
        self._watch.listen()
        try:
            if self._opened:
                await self._changes.reinstall()
        except PlaneError:
            return  # `Changes` tries it again
        finally:
            self._lock.release()

    def give_up(self) -> None:
        """Leave the table to the successor; flows go on in it."""
        self._stop_following()
        self._opened = False
        self._flows.close()
        self._table.close()
        self._routes.clear()
        self._removed.clear()
        self._lock.release()

    async def close(self) -> None:
        """Remove the table, unless it is to stay, and release the lock of the namespace."""
        self._stop_following()
        async with self._lock:
            self._routes.clear()
            self._flows.close()
            stays = self._keep_rules or self._inherited.provisional
            if self._opened and not stays:
                await self._allowance.close()
                try:
                    await self._table.remove()
                except PlaneError as error:
                    log.event(log.WARNING, "table_left", f"our table is left: {error}")
            self._table.close()

    async def _restore(self) -> None:
        async with self._lock:
            if self._opened and not self._closing:
                await self._table.restore()

    async def _open(self, routes: Iterable[Route]) -> None:
        """Open everything, once there is a route for the kernel, or a table that was left."""
        if self._opened or self._refusal:
            return
        try:
            if all(map(unsuited, routes)) and not await self._table.exists():
                return
            await self._table.open()
            self._flows.open(self._removed.route_of, self._removed.has_led)
            await self._host.open()
            if self._table.adopted:
                self._orphans = Orphans(await self._flows.everything())
        except PlaneError as error:
            self._flows.close()
            self._table.close()
            if self._demanded:
                raise
            self._refusal = str(error)
        else:
            self._opened = True

    async def _see_to_orphans(self, come: Iterable[KernelRoute]) -> None:
        """End flows of an earlier ambassador that belong to no route of the kernel now."""
        for kernel_route in come:
            if kernel_route.refusal and (orphans := kernel_route.orphans):
                self._removed.adopt(kernel_route.route, orphans)
                await self._installer.see_off(kernel_route, kernel_route.strangers(orphans))
                orphans.clear()
        for stray, upstreams in self._orphans.strays():
            self._removed.adopt(stray, upstreams)

    def _judge(self, kernel_route: KernelRoute) -> str:
        """Return why the relay has to carry a whole route; empty where it has not."""
        route = kernel_route.route
        here = self._routes.crowd(kernel_route) or self._refusal
        return unsuited(route) or here or unable(route, self._steady)

    async def _look_over(self) -> None:
        """Judge all routes again: the rules of this host, or its forwarding, have changed."""
        async with self._lock:
            await self._allowance.see_to(self._routes.all)
            self._doubts.look(self._routes.all)

    def _stop_following(self) -> None:
        self._closing = True
        self._listed.forget()
        self._healing.close()
        self._changes.close()
        self._doubts.close()
        self._host.close()
        for kernel_route in self._routes.all:
            kernel_route.stop_watching()
