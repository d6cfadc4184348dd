"""Workers that were claimed are taken over: their doors, sessions and books (see `shared`).

The workers go on carrying and accepting meanwhile. `reclaim` has read what they have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ambassador import log
from ambassador.core.departure import Departure, Standing
from ambassador.core.limits import is_limited
from ambassador.errors import in_words
from ambassador.model import Endpoint, Proto, Reason, Route, RouteKey
from ambassador.planes.relay.client import host_of
from ambassador.planes.relay.departures import Leaving
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.facts import REASONS
from ambassador.planes.relay.listener import StreamListener
from ambassador.planes.relay.notes import SessionNote, read_door, read_session
from ambassador.planes.relay.offload import Offload
from ambassador.planes.relay.parcels import candidate_of, closed_socket
from ambassador.planes.relay.reclaim import Claims
from ambassador.planes.relay.route import RelayRoute
from ambassador.planes.relay.serials import serials
from ambassador.planes.relay.session import Session
from ambassador.planes.relay.shared import BEGUN, DOWN, ENDS, NO_DOOR, OTHER, UP
from ambassador.planes.relay.surroundings import Surroundings
from ambassador.planes.relay.worker import Worker, leave_out
from ambassador.planes.relay.worker_messages import Carries
from ambassador.spec import format_endpoint, parse_existing, parse_listen

__all__ = ["Reclaimed", "Recovered"]


class Recovered(NamedTuple):
    """What was recovered of a relay that was killed. `counted`: what that relay had counted for
    each route, by the names of `Ledger.count`; `more`: what its workers had counted beyond that, by
    name of RouteStatus and reason. `open` sessions go on, `lost` sessions have ended with it.
    """

    counted: Mapping[RouteKey, Mapping[str, float]]
    more: Mapping[RouteKey, Mapping[str, float]]
    processes: int
    open: int
    lost: int
    silent: int  # processes that did not answer, and may have some of the lost sessions


class _Known(NamedTuple):
    route: RelayRoute
    has_left: bool


class Reclaimed:
    """Takes over what the workers of `claims` have. `routes` are ours; `retired` makes a route that
    has left already.
    """

    def __init__(
        self,
        claims: Claims,
        around: Surroundings,
        routes: Mapping[RouteKey, RelayRoute],
        retired: Callable[[Route], RelayRoute],
    ) -> None:
        self._claims = claims
        self._around = around
        self._routes = routes
        self._retired = retired
        self._known: dict[int, _Known] = {}
        self._keys: dict[int, RouteKey] = {}
        self._by_number: dict[tuple[int, int], Session] = {}
        self._books: dict[int, int] = {}  # the serial of the route of each book, by its number
        self._open: dict[int, int] = {}  # sessions that go on, by serial

    def begin(self, offload: Offload) -> None:
        """Take over the workers, their doors and their sessions."""
        claims, doors = self._claims, self._around.doors
        self._number()
        found: dict[int, tuple[StreamListener, Mapping[int, Candidate]]] = {}
        for claimed in claims.workers:
            for said, _ in claimed.listeners:
                if said.note and said.number not in found:
                    self._door(said.number, said.note, found)
        for claimed in claims.workers:
            for item in claimed.sessions:
                self._unknown_book(item, found)
        for serial, entry in claims.counted.items():
            for _, number, _ in entry.get("told", ()):
                self._books.setdefault(int(number), int(serial))
        self._number_as_before(found)
        doors.claimed(claims.shared, found)
        workers = []
        for claimed in claims.workers:
            for number, counts in claimed.books.items():
                doors.tally.told[claimed.row, number] = list(counts)
            workers.append(
                Worker(*(self._around.poller, offload, doors, claimed.row), found=claimed.found)
            )
        for claimed, worker in zip(claims.workers, workers, strict=True):
            for item in claimed.sessions:
                self._session(worker, item)
            worker.tell_numbers()
        offload.claimed(claims.shared, workers, claims.frozen)

    def end(self) -> Recovered:
        """Go on with departures that had begun, and add up the counters; return the result."""
        untold = self._claims.untold()
        more: dict[int, dict[str, float]] = {}
        for number, counts in untold.items():
            serial = self._books.get(number)
            if serial in self._known and serial is not None:
                _add(more.setdefault(serial, {}), counts)
        counted: dict[RouteKey, Mapping[str, float]] = {}
        added: dict[RouteKey, Mapping[str, float]] = {}
        lost = 0
        for serial, known in self._known.items():
            entry = self._entry(serial)
            mine = more.setdefault(serial, {})
            known.route.live.number += int(mine.get("opened", 0))  # ids that may have been given
            gone = _missing(entry.get("counted", {}), mine) - self._open.get(serial, 0)
            if gone > 0 and known.route.live.route.proto is Proto.TCP:
                mine[f"closed {Reason.CUT}"] = mine.get(f"closed {Reason.CUT}", 0) + gone
                lost += gone
            mine |= _of_one_endpoint(known.route.live.route, mine)
            self._leaving(known.route, entry)
            if not known.has_left:
                counted[self._keys[serial]] = entry.get("counted", {})
                added[self._keys[serial]] = mine
        for known in self._known.values():
            if known.has_left:
                known.route.departures.removed()
        for route in self._routes.values():
            route.departures.changed()
        workers = len(self._claims.workers)
        silent = len(self._claims.frozen)
        return Recovered(counted, added, workers, sum(self._open.values()), lost, silent)

    def _entry(self, serial: int) -> dict[str, Any]:
        return dict(self._claims.counted.get(str(serial), {}))

    def _number(self) -> None:
        """Give our routes the serials of theirs, and new sessions numbers that none has had."""
        theirs: dict[RouteKey, int] = {}
        for serial, proto, listen, name, policy, has_left in self._claims.routes:
            key = Proto(proto), parse_listen(listen)
            self._keys[int(serial)] = key
            mine = None if has_left else self._routes.get(key)
            if mine is not None:
                theirs[key] = int(serial)
            elif key[0] is Proto.TCP:
                existing = parse_existing(policy)
                mine = self._retired(Route(str(name), key[1], (), key[0], existing=existing))
                mine.live.serial = int(serial)
            if mine is not None:
                self._known[int(serial)] = _Known(mine, bool(has_left) or key not in self._routes)
        fresh = max(self._keys, default=0) + 1
        for key, route in self._routes.items():
            if key in theirs:
                route.live.serial = theirs[key]
            else:
                route.live.serial, fresh = fresh, fresh + 1
        for serial, known in self._known.items():
            known.route.live.number = int(self._entry(serial).get("number", 0))
        serials.go_on(fresh)

    def _door(
        self,
        number: int,
        text: str,
        found: dict[int, tuple[StreamListener, Mapping[int, Candidate]]],
    ) -> None:
        note = read_door(text)
        self._books[number] = note.serial
        if (listener := self._listener(note.serial, note.port)) is None:
            return
        route = listener.live.route
        found[number] = (
            listener,
            {
                way.number: candidate_of(route, way.endpoint, way.address, way.port, way.written)
                for way in note.ways
            },
        )

    def _number_as_before(
        self, found: dict[int, tuple[StreamListener, Mapping[int, Candidate]]]
    ) -> None:
        """Let the listeners of a route keep the numbers of its books: until our ledger is written,
        that of the relay before says which number is whose.
        """
        taken = {listener for listener, _ in found.values()}
        spare: dict[int, Iterator[StreamListener]] = {}
        for serial, known in self._known.items():
            streams = (one for one in known.route.listeners if isinstance(one, StreamListener))
            spare[serial] = iter([one for one in streams if one not in taken])
        for number, serial in self._books.items():
            if number in found or number == NO_DOOR or serial not in spare:
                continue
            if (listener := next(spare[serial], None)) is not None:
                found[number] = listener, {}

    def _unknown_book(
        self, item: Carries, found: dict[int, tuple[StreamListener, Mapping[int, Candidate]]]
    ) -> None:
        """Note the book of a session, also where its door is shut: it is still counted there."""
        note = read_session(item.note)
        self._books.setdefault(item.book, note.serial)
        if item.key % 2 and item.book not in found:
            listener = self._listener(note.serial, note.port)
            if listener is not None and all(one is not listener for one, _ in found.values()):
                found[item.book] = listener, {}

    def _listener(self, serial: int, port: int) -> StreamListener | None:
        if (known := self._known.get(serial)) is None:
            return None
        streams = [one for one in known.route.listeners if isinstance(one, StreamListener)]
        for one in streams:
            if one.port == port or len(streams) == 1:
                return one
        return None

    def _session(self, worker: Worker, item: Carries) -> None:
        try:
            note = read_session(item.note)
            listener = self._listener(note.serial, note.port)
            if listener is None:
                raise ValueError(f"route {note.serial} is not known")
            self._take(worker, item, note, listener)
        except Exception as error:  # a text from another process may cause any
            text = f"a session of process {worker.process.pid} is not understood: {in_words(error)}"
            log.event(log.WARNING, "earlier_not_understood", text)

    def _take(
        self, worker: Worker, item: Carries, note: SessionNote, listener: StreamListener
    ) -> None:
        live = listener.live
        number = live.number
        session = listener.session(closed_socket(), note.client)
        if note.number:
            session.number = note.number
            live.number = max(number, note.number)
        if item.key % 2 == 0:
            leave_out(item.key)
        else:
            worker.call(item.key, session.number)
        candidate = candidate_of(live.route, *note.where) if note.where else None
        session.claimed(worker, item, note, candidate)
        if candidate is None or note.connected is None:
            worker.waits_with(item.key, self._around.doors.ways(item.book))
        worker.has(item.key, session, item.inodes, item.book)
        if is_limited(live.route):
            live.counters.limits.here(host_of(note.client))
        self._open[note.serial] = self._open.get(note.serial, 0) + 1
        self._by_number[note.serial, session.number] = session

    def _leaving(self, route: RelayRoute, entry: Mapping[str, Any]) -> None:
        serial = route.live.serial
        for number in entry.get("left", ()):
            if session := self._by_number.get((serial, number)):
                session.standing = Standing.LEAVING
        for reason, policy, began, numbers in entry.get("leaving", ()):
            why = Departure(Reason(reason), parse_existing(policy))
            sessions = [self._by_number.get((serial, one)) for one in numbers]
            there = [one for one in sessions if one is not None]
            route.departures.go_on(Leaving(why, float(began), there))


def _add(sums: dict[str, float], counts: list[int]) -> None:
    """Add the counts of a book to the numbers of a route."""
    reasons = {place: REASONS.get(event, Reason.CUT) for event, place in ENDS.items()}
    reasons[OTHER] = Reason.CUT
    for name, value in (
        ("opened", counts[BEGUN]),
        ("to_upstream", counts[UP]),
        ("to_client", counts[DOWN]),
        *((f"closed {reason}", counts[place]) for place, reason in reasons.items()),
    ):
        if value:
            sums[name] = sums.get(name, 0) + value


def _of_one_endpoint(route: Route, sums: Mapping[str, float]) -> dict[str, float]:
    """Return the same numbers for the endpoint where the route has only one: workers count by
    listener, not by endpoint.
    """
    if len(route.endpoints) != 1:
        return {}
    url = format_endpoint(Endpoint(route.endpoints[0].address, route.proto))
    return {
        f"met_{name} {url}": sums[name]
        for name in ("opened", "to_upstream", "to_client")
        if name in sums
    }


def _missing(counted: Mapping[str, float], more: Mapping[str, float]) -> int:
    """Return how many sessions were opened and have not ended."""
    opened = closed = 0.0
    for numbers in (counted, more):
        opened += numbers.get("opened", 0)
        closed += sum(value for name, value in numbers.items() if name.startswith("closed "))
    return int(opened - closed)
