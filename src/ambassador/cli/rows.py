"""The lines of `top`, each as pieces of text with a tone. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from ambassador.cli.board import Board, Series, endpoint_state, trouble
from ambassador.cli.plot import spark
from ambassador.cli.text import age, headline, size
from ambassador.core.results import EndpointView, RouteView
from ambassador.spec import printable
from ambassador.spec.moments import format_moment

__all__ = ["HEIGHT", "HELP", "KEYS", "WIDTH", "Line", "lines", "too_small", "wrap"]

# Pieces of text, each with a tone: "" (plain), bold, dim, good, calm, warn, bad, off, cursor.
Line = list[tuple[str, str]]

WIDTH, HEIGHT = 60, 12  # the smallest terminal that shows anything of use
_EVENTS = 4
_PLOT = 16
_NUMBERS = ("open", "wait", "new/s", "up/s", "down/s", "refused")
_WIDTHS = (6, 5, 7, 10, 10, 8)
_PLANE, _STATE = 7, 11

KEYS = (
    "? help  q quit  ↑↓ select  ⏎ open  m move  h hold  r release  d drain  a ready  c cut  u undo"
)
HELP = (
    "Keys",
    "",
    "  up, down, PgUp, PgDn, Home, End   select a route or an endpoint",
    "  Enter          everything about the route, and its sessions; Esc: back",
    "  m   move it: endpoints are probed first, and you see what would happen",
    "  h   hold: new sessions wait            r   release them",
    "  d   drain: no new sessions             a   ready: take back drain and maint",
    "  c   cut: sessions of the route or endpoint, or the selected session",
    "  u   undo: take back the last change of the route",
    "  s   sort by name, open, new, bytes, trouble        e   endpoints on and off",
    "  /   show only what has these words; Esc: all       q   quit",
    "",
    "Each change asks once, and says how many sessions it affects.",
    "Plots show the last two minutes. All have one scale, which is shown above them.",
    "",
    "any key: back",
)


def lines(
    board: Board, events: Sequence[tuple[str, str]], width: int, height: int, first: int
) -> tuple[list[Line], int]:
    """Return the lines of a terminal without the last one, and the index of the first row shown;
    `first` is this index as it was before. `events` are levels and sentences, the newest last.
    """
    head = _head(board)
    if board.opened and (route := board.route(board.opened)) is not None:
        body, shown = _alone(board, route, width, height - len(head) - 1), 0
    else:
        below = _events(events, width) if height >= 2 * HEIGHT else []
        room = height - len(head) - len(below) - 2
        body, shown = _table(board, width, room, first)
        body += [[] for _ in range(room + 1 - len(body))]
        body += below
    return [_cut(line, width) for line in (*head, *body)][: height - 1], shown


def too_small(width: int, height: int) -> str:
    """Return an error if the terminal is too small to be of use; empty if it is large enough."""
    if width >= WIDTH and height >= HEIGHT:
        return ""
    long = f"{width}x{height} is too small: {WIDTH}x{HEIGHT} at least (q: quit)"
    return long if len(long) < width else f"too small: {WIDTH}x{HEIGHT} (q: quit)"


def wrap(text: str, width: int, most: int) -> list[str]:
    """Return `text` in lines of `width` characters, the last `most` of them, since the end of a
    question says what to type.
    """
    return textwrap.wrap(text, max(width, 1), break_on_hyphens=False)[-max(most, 1) :]


def _head(board: Board) -> list[Line]:
    if board.view is None:
        return [[(board.lost or "asking ...", "warn")], []]
    first: Line = [(headline(board.view), "bold")]
    if board.lost:
        first = [(board.lost, "bad")]
    totals = board.totals()
    told: Line = []
    for word, value in totals.items():
        text = size(int(value)) if word in ("up/s", "down/s") else f"{value:.0f}"
        tone = "bad" if word in ("refused", "failures") and value else "bold"
        told += [(text, tone), (f" {word}   ", "dim")]
    chosen = f"  sorted by {board.sort}" if board.sort != "name" else ""
    chosen += f"  with: {board.filter}" if board.filter else ""
    return [first, [(chosen, "warn"), *told]] if chosen else [first, told]


def _table(board: Board, width: int, room: int, first: int) -> tuple[list[Line], int]:
    """Return the head and as many rows as there is `room` for, the selected row among them."""
    routes, rows = board.routes(), board.rows()
    names = max([18, *(len(one.name) + len(one.listen) + 2 for one in routes)])
    name = min(names, max(16, width - sum(_WIDTHS) - _PLANE - _STATE - 1), 40)
    left = width - name - _PLANE - _STATE - sum(_WIDTHS)
    plots = max(0, min(2, left // (_PLOT + 1)))
    here = rows.index(board.selected) if board.selected in rows else 0
    first = max(0, min(first, here, len(rows) - room))
    first = max(first, here - room + 1)
    by_name = {one.name: one for one in routes}
    found: list[Line] = [_titles(board, name, plots)]
    for row in rows[first : first + room]:
        route = by_name[row.route]
        if not row.endpoint:
            line = _route(board, route, name, plots)
        else:
            part = next(one for one in route.endpoints if one.endpoint == row.endpoint)
            line = _endpoint(part, name + 4)
        if row == board.selected:
            line = [(text, "cursor") for text, _ in line]
            line.append((" " * width, "cursor"))
        found.append(line)
    if not rows:
        found.append([("no route matches" if board.filter else "there are no routes", "dim")])
    return found, first


def _titles(board: Board, name: int, plots: int) -> Line:
    texts = [
        _fit(f"ROUTE ({len(board.routes())})", name),
        _fit("PLANE", _PLANE),
        _fit("STATE", _STATE),
    ]
    texts += [word.upper().rjust(width) for word, width in zip(_NUMBERS, _WIDTHS, strict=True)]
    new, amount = board.scale()
    scales = (f"NEW 0-{new:.0f}/s", f"0-{size(int(amount))}/s")
    texts += [f" {_fit(text, _PLOT)}" for text in scales[:plots]]
    return [("".join(texts), "bold")]


def _route(board: Board, one: RouteView, name: int, plots: int) -> Line:
    series = board.series.get(one.name, Series())
    waits = one.hold.waiting if one.hold else one.held
    values = (
        str(one.open),
        str(waits or "-"),
        f"{series.last('opened'):.0f}",
        size(int(series.last("up"))),
        size(int(series.last("down"))),
    )
    cells = "".join(text.rjust(width) for text, width in zip(values, _WIDTHS[:-1], strict=True))
    level = trouble(one)
    mark = {3: "no endpoint", 2: "failing", 1: "held", 0: "changed" if one.differs else ""}[level]
    title = f"{one.name}  {one.listen}"
    tone = {3: "bad", 2: "bad", 1: "warn", 0: "bold"}[level]
    refused = str(one.refused or "-").rjust(_WIDTHS[-1])
    new, amount = board.scale()
    drawn = (spark(list(series.opened), _PLOT, new), spark(series.both(), _PLOT, amount))
    line: Line = [
        (_fit(title, name), tone),
        (_fit(one.plane, _PLANE), "off" if one.plane == "kernel" else ""),
        (f"{mark:<{_STATE}}", tone if level else "calm"),
        (cells, ""),
        (refused, "bad" if one.refused else "dim"),
    ]
    line += [(f" {plot}", "calm") for plot in drawn[:plots]]
    return line


def _endpoint(part: EndpointView, name: int) -> Line:
    sign, word, tone = endpoint_state(part)
    where = part.endpoint.removeprefix("tcp://").removeprefix("udp://")
    failures = f"  {part.failures} failures" if part.failures else ""
    why = part.reason or (f"was: {part.error}" if part.error else "")
    return [
        (f"  {sign} ", tone),
        (_fit(where, name), ""),
        (_fit(word, 12), tone),
        (f"{part.open} open, {part.opened} opened", "dim"),
        (failures, "bad"),
        (f"  {why}" if why else "", "dim"),
    ]


def _alone(board: Board, one: RouteView, width: int, room: int) -> list[Line]:
    """Return everything about one route, and as many of its sessions as there is room for."""
    facts = [
        ("route", f"{one.name}  {one.listen}"),
        ("plane", f"{one.plane} ({one.why})" if one.why else one.plane),
        ("sessions", f"{one.open} open; {one.opened} opened, {one.refused} refused"),
        ("existing", one.existing),
        ("from", one.origin),
    ]
    if one.hold:
        hold = one.hold
        facts.append(("held", f"{hold.waiting} of {hold.limit} wait, {hold.timeout:g} s at most"))
    if one.changed:
        moment = format_moment(one.changed.when)
        facts.append(("changed", f"{moment} by {one.changed.who}: {one.changed.what}"))
    if one.differs:
        facts.append(("differs", one.differs))
    found: list[Line] = [[(_fit(word, 10), "dim"), (text, "")] for word, text in facts]
    found += [_endpoint(part, 28) for part in one.endpoints[: max(1, room // 3)]]
    found.append([])
    found.append([(f"SESSIONS {len(board.sessions)} of {board.total}", "bold")])
    left = max(1, room - len(found))
    first = max(0, min(board.session - left // 2, len(board.sessions) - left))
    for place, session in enumerate(board.sessions[first : first + left], first):
        old = "-" if session.age is None else age(session.age)
        text = (
            f"  {_fit(session.id, 9)} {_fit(session.client, 23)} "
            f"{_fit(session.endpoint or session.state, 23)} {old:>10} "
            f"{size(session.to_upstream):>10} {size(session.to_client):>10}"
        )
        mine = place == board.session
        found.append([(text.ljust(width), "cursor" if mine else "")])
    return found


def _events(events: Sequence[tuple[str, str]], width: int) -> list[Line]:
    found: list[Line] = [[("─" * width, "dim")]]
    tones = {"warning": "warn", "error": "bad"}
    found += [[(text, tones.get(level, "dim"))] for level, text in events[-_EVENTS:]]
    return found


def _fit(text: str, width: int) -> str:
    """Return `text` padded or cut to `width` columns."""
    return text.ljust(width) if len(text) < width else f"{text[: width - 2]}… "


def _cut(line: Line, width: int) -> Line:
    """Return as much of a line as fits, without control characters for the terminal."""
    found: Line = []
    for text, tone in line:
        piece = printable(text)[:width]
        width -= len(piece)
        if piece:
            found.append((piece, tone))
    return found
