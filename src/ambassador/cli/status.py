"""`ambassador status`: what the running ambassador does, as a table or JSON."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import click

from ambassador.cli.running import ask, asking, show
from ambassador.cli.text import headline, size, table
from ambassador.core.commands import Status
from ambassador.core.results import (
    ContainerView,
    EarlierView,
    EndpointLeft,
    EndpointView,
    EngineView,
    FollowView,
    IdentityView,
    RouteView,
    ShortageView,
    StatusView,
)
from ambassador.spec.moments import format_moment

__all__ = ["command"]

_HEAD = ("ROUTE", "LISTEN", "ENDPOINTS", "PLANE", "OPEN", "OPENED", "REFUSED", "UP", "DOWN", "WHY")
_COUNTERS = ("opened", "refused", "to_upstream", "to_client")
_PER_SECOND = {"OPENED": "NEW/S", "REFUSED": "REFUSED/S", "UP": "UP/S", "DOWN": "DOWN/S"}
_ADDRESSES = ("ENDPOINT", "ADDRESS", "HEALTH", "REASON")
_CONTAINERS = ("CONTAINER", "ID", "STATE", "ADDRESS", "NETWORK", "REMARK")
_PARTS = (
    *("ENDPOINT", "ADMIN", "HEALTH", "OPEN", "OPENED", "UP", "DOWN", "FAILURES"),
    *("NEW SESSIONS", "REASON"),
)


@click.command("status")
@click.argument("route", default="", metavar="[ROUTE]")
@click.option("--rate", is_flag=True, help="Look twice, a second apart; show the difference.")
@asking
def command(route: str, rate: bool, admin: str | None, as_json: bool) -> None:
    """Show every route of the running ambassador: its listen address and endpoints, open sessions,
    sessions opened and refused since its start (with --rate, in the last second), bytes to the
    upstream and to the client, and, if there is a reason, why it has its plane.

    With ROUTE, show everything about that route, with each endpoint on a line.
    """
    view: StatusView = ask(Status(route), admin)
    if rate:
        time.sleep(1)
        view = _since(view, ask(Status(route), admin))
    if not route:
        head = tuple(_PER_SECOND.get(word, word) if rate else word for word in _HEAD)
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        show(view, _all(view, head, width), as_json)
        return
    show(view, _one(view.routes[0], "in the last second" if rate else "since it began"), as_json)


def _since(before: StatusView, now: StatusView) -> StatusView:
    """Return `now` with the counts since `before`; a new route counts from its start."""
    then = {one.name: one for one in before.routes}
    return replace(now, routes=tuple(_new(then.get(one.name), one) for one in now.routes))


def _new(before: RouteView | None, now: RouteView) -> RouteView:
    if before is None:
        return now
    return replace(
        now,
        **{name: max(0, getattr(now, name) - getattr(before, name)) for name in _COUNTERS},
    )


def _all(view: StatusView, head: Sequence[str] = _HEAD, width: int | None = None) -> str:
    """Return a table; if it would be wider than `width`, its last column is moved below it."""
    rows = [
        (
            one.name,
            one.listen,
            ", ".join(map(_brief, one.endpoints)),
            one.plane,
            str(one.open),
            str(one.opened),
            str(one.refused),
            size(one.to_upstream),
            size(one.to_client),
            one.why,
        )
        for one in view.routes
    ]
    first = headline(view)
    if view.place.admin:
        first += f", asked at {view.place.admin}"
    text, notes = table(head, rows), list[str]()
    if not any(one.why for one in view.routes):
        text = table(head[:-1], [row[:-1] for row in rows])
    elif width is not None and any(len(line) > width for line in text.splitlines()):
        text = table(head[:-1], [row[:-1] for row in rows])
        notes = _reasons(view)
    lines = [first, "", text]
    notes += [f"{one.name}: {note}" for one in view.routes for note in _notes(one)]
    notes += [f"{one.name} ({one.listen}): {one.differs}" for one in view.removed]
    notes += [f"{source.name}: {source.error}" for source in view.sources if source.error]
    notes += [f"changes are not kept: {view.unkept}"] if view.unkept else []
    notes += [_short(one) for one in view.source_ports]
    notes += [_before(one) for one in view.earlier]
    notes += [_engine(one) for one in view.engines if one.error]
    notes += [problem for one in view.engines for problem in one.problems]
    notes += _identity(view.identity)
    return "\n".join([*lines, *([""] if notes else []), *notes])


def _reasons(view: StatusView) -> list[str]:
    """Return the reasons why routes have their plane, each once, with its routes."""
    routes: dict[tuple[str, str], list[str]] = {}
    for one in view.routes:
        if one.why:
            routes.setdefault((one.plane, one.why), []).append(one.name)
    return [
        f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}: "
        f"{plane}, {why}"
        for (plane, why), names in routes.items()
    ]


def _one(one: RouteView, when: str) -> str:
    facts = [
        ("route", one.name),
        ("listen", one.listen),
        ("plane", f"{one.plane} ({one.why})" if one.why else one.plane),
        ("existing", one.existing),
        ("from", one.origin),
        ("sessions", f"{one.open} open; {when} {one.opened} opened, {one.refused} refused"),
        ("bytes", f"{size(one.to_upstream)} to the upstream, {size(one.to_client)} to the client"),
    ]
    if one.follow:
        facts += _followed(one.follow)
    if one.hold:
        facts.append(("hold", _held(one).partition(", ")[2]))
    if one.changed:
        change = one.changed
        facts.append(("changed", f"{format_moment(change.when)} by {change.who}: {change.what}"))
    if one.differs:
        facts.append(("differs", one.differs))
    facts += [("left", _gone(part)) for part in one.left]
    rows = [
        (
            part.endpoint,
            part.admin,
            part.health,
            str(part.open),
            str(part.opened),
            size(part.to_upstream),
            size(part.to_client),
            str(part.failures),
            _gets_sessions(part, held=one.hold is not None),
            _reason(part),
        )
        for part in one.endpoints
    ]
    text = f"{table(('', ''), facts).lstrip()}\n\n{table(_PARTS, rows)}"
    probed = [
        (part.endpoint, one.address.replace("#", ":"), one.health, one.reason)
        for part in one.endpoints
        for one in part.addresses
    ]
    text += f"\n\n{table(_ADDRESSES, probed)}" if probed else ""
    containers = [_container(each) for part in one.endpoints for each in part.containers]
    return f"{text}\n\n{table(_CONTAINERS, containers)}" if containers else text


def _container(one: ContainerView) -> tuple[str, ...]:
    where = ", ".join(one.addresses).replace("#", ":") or "-"
    return one.name, one.id, one.state, where, one.network or "-", one.problem or one.note


def _engine(one: EngineView) -> str:
    age = "nothing is known of its containers"
    if one.age is not None:
        age = f"its list of {one.containers} containers, {one.age:.0f} s old, is still used"
    return f"engine {one.error}; {age}"


def _followed(follow: FollowView) -> list[tuple[str, str]]:
    """Return the authority of the route, its primary, and who decided that and why."""
    since = f" since {format_moment(follow.since)}" if follow.since else ""
    facts = [
        ("follows", f"{follow.authority}: {follow.answering} of {follow.members} answer"),
        ("primary", f"{follow.primary or 'none'}{since}"),
        ("decided by", f"{follow.decides}: {follow.why}" if follow.why else follow.decides),
    ]
    return facts + [("problem", problem) for problem in follow.problems]


def _gets_sessions(part: EndpointView, *, held: bool) -> str:
    if held:
        return "held"
    if part.usable:
        return "yes"
    last = part.failing and part.admin == "ready" and part.health != "unhealthy"
    return "tried last" if last else "no"


def _reason(part: EndpointView) -> str:
    if not part.error:
        return part.reason
    last = f"{part.error}, at {format_moment(part.failed)}"
    if part.failing:
        return last if part.reason == part.error else f"{part.reason}; {last}"
    return part.reason or f"was: {last}"


def _brief(part: EndpointView) -> str:
    marks = [part.admin] if part.admin != "ready" else []
    marks += [part.health] if part.health == "unhealthy" else []
    marks += ["unreachable"] if part.failing else []
    text = part.endpoint.removeprefix("tcp://").removeprefix("udp://")
    return f"{text} ({', '.join(marks)})" if marks else text


def _notes(one: RouteView) -> list[str]:
    notes = [_held(one)] if one.hold else []
    if any(part.health == "unhealthy" and part.usable for part in one.endpoints):
        notes.append("all endpoints fail their probes, and get clients all the same (panic=yes)")
    notes += [one.alike] if one.alike else []
    if one.follow:
        notes += one.follow.problems
    notes += [_gone(part) for part in one.left]
    return [*notes, one.differs] if one.differs else notes


def _gone(part: EndpointLeft) -> str:
    count = "1 session" if part.open == 1 else f"{part.open} sessions"
    return f"{count} at {part.endpoint}, which has left the route"


def _short(one: ShortageView) -> str:
    times = "once" if one.times == 1 else f"{one.times} times"
    return (
        f"no source port was free for {one.place}, {times}, the last time at "
        f"{format_moment(one.last)}; no failure of the endpoint, the log says what helps"
    )


def _identity(identity: IdentityView | None) -> list[str]:
    if identity is None:
        return []
    names = ", ".join(identity.names) or "none (only authorities)"
    until = f", good until {format_moment(identity.expires)}" if identity.expires else ""
    notes = [f"identity: {names}{until}"]
    return (
        [*notes, f"identity: newer files do not count: {identity.error}"]
        if identity.error
        else notes
    )


def _before(process: EarlierView) -> str:
    count = f"{process.open} session{' goes' if process.open == 1 else 's go'}"
    return f"{count} on in process {process.pid}, which had the routes before the upgrade"


def _held(one: RouteView) -> str:
    if one.hold is None:
        return ""
    hold = one.hold
    return f"held, {hold.waiting} of at most {hold.limit} wait, each {hold.timeout:g} s at most"
