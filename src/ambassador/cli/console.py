"""`top` on a terminal: keys, questions and a screen, by curses; imported only by `top`.

The ambassador is asked in a thread, so that keys work even if it is slow or gone.
"""

from __future__ import annotations

import curses
import locale
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from ambassador.admin import client
from ambassador.admin.operations import Events
from ambassador.cli.acts import Act, act_of, checked
from ambassador.cli.board import Board
from ambassador.cli.rows import HELP, KEYS, Line, lines, too_small, wrap
from ambassador.core.commands import Sessions, Status
from ambassador.errors import AmbassadorError

__all__ = ["run"]

_KEY = 100  # milliseconds to wait for a key before looking for answers of the threads
_EVENTS = 50
_SESSIONS = 2000
_SAID = 8.0  # seconds that an answer is shown
_PATIENCE = 5.0
_ESCAPE = 27
_ENTER = (curses.KEY_ENTER, 10, 13)
_STEPS = {
    curses.KEY_UP: -1,
    curses.KEY_DOWN: 1,
    ord("k"): -1,
    ord("j"): 1,
    curses.KEY_PPAGE: -10,
    curses.KEY_NPAGE: 10,
    curses.KEY_HOME: -(10**9),
    curses.KEY_END: 10**9,
}
_COLOURS = {
    "good": curses.COLOR_GREEN,
    "calm": curses.COLOR_CYAN,
    "warn": curses.COLOR_YELLOW,
    "bad": curses.COLOR_RED,
    "off": curses.COLOR_MAGENTA,
}


def run(find: Callable[[], Path], interval: float) -> None:
    """Run `top` until the user ends it, and then restore the terminal. `find` returns the admin
    socket, and is called again if the ambassador does not answer. Raises curses.error if curses
    cannot use the terminal.
    """
    locale.setlocale(locale.LC_ALL, "")  # curses writes in the encoding of the locale
    os.environ.setdefault("ESCDELAY", "50")  # milliseconds; by default ncurses waits for a second
    for name in ("LINES", "COLUMNS"):  # curses would use them even if the window changes its size
        os.environ.pop(name, None)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    screen = curses.initscr()  # not curses.wrapper, which starts colours even with NO_COLOR
    try:
        curses.noecho()
        curses.cbreak()
        screen.keypad(True)
        _Console(screen, find, interval).run()
    finally:
        screen.keypad(False)
        with suppress(curses.error):  # a terminal without a second screen still shows this one
            screen.move(screen.getmaxyx()[0] - 1, 0)
            screen.clrtoeol()
            screen.refresh()
        curses.endwin()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class _Console:
    def __init__(self, screen: Any, find: Callable[[], Path], interval: float) -> None:
        self.board = Board()
        self._screen = screen
        self._find = find
        self._interval = interval
        self._path = find()
        self._events: list[tuple[str, str]] = []
        self._seen = 0  # the number of the last event
        self._first = 0
        self._help = False
        self._said, self._until = "", 0.0
        self._tone = ""
        self._typed: str | None = None  # the text that is being typed; None: no text is asked for
        self._prompt = ""
        self._fresh = False  # whether the text is still the proposal: nothing has been typed yet
        self._then: Callable[[str], None] = lambda _text: None  # gets the text that was typed
        self._asked: Act | None = None  # what the key `y` would do
        self._news: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._over = False
        self._tones = self._made_tones()

    def run(self) -> None:
        """Go on until `q`."""
        with suppress(curses.error):
            curses.curs_set(0)
        self._screen.timeout(_KEY)
        threading.Thread(target=self._look, name="looks", daemon=True).start()
        self._draw()
        while not self._over:
            key = self._screen.getch()
            changed = key != -1
            if key != -1:
                self._key(key)
            while not self._news.empty():
                self._news.get()()
                changed = True
            if self._said and time.monotonic() > self._until:
                self._said, changed = "", True
            if changed:
                self._draw()

    # --- requests to the ambassador ---

    def _look(self) -> None:
        while not self._over:
            try:
                view = client.ask(self._path, Status(), _PATIENCE)
                found = list(client.events(self._path, Events(self._seen)))
                opened = self.board.opened
                listed = client.ask(self._path, Sessions(opened, _SESSIONS)) if opened else None
            except AmbassadorError as error:
                self._news.put(lambda error=error: self._lose(error))  # type: ignore[misc]
                with suppress(AmbassadorError):
                    self._path = self._find()
            else:
                self._news.put(lambda look=(view, found, listed): self._take(*look))  # type: ignore[misc]
            self._wake.wait(self._interval)
            self._wake.clear()

    def _take(self, view: Any, found: list[bytes], listed: Any) -> None:
        import json  # noqa: PLC0415 (already imported by now)

        board = self.board
        if board.view is not None and board.view.pid != view.pid:
            self._seen = 0
            self._say(f"another process answers now: {view.pid}", "good")
        elif board.lost:
            self._say("it answers again", "good")
        board.add(view, time.monotonic())
        for line in found:
            event = json.loads(line)
            if event["number"] > self._seen:
                self._seen = event["number"]
                clock = time.strftime("%H:%M:%S", time.localtime(event["time"]))
                self._events.append((event["level"], f"{clock}  {event['message']}"))
        del self._events[:-_EVENTS]
        if listed is not None:
            board.sessions, board.total = listed.sessions, listed.total
            board.move(0)
        if board.opened and board.route(board.opened) is None:
            board.opened = ""

    def _lose(self, error: AmbassadorError) -> None:
        if not self.board.lost:
            since = time.strftime("%H:%M:%S")
            self.board.lost = f"no answer since {since}; waiting for it to come back: {error}"

    # --- keys ---

    def _key(self, key: int) -> None:
        if key == curses.KEY_RESIZE:
            with suppress(curses.error):
                curses.update_lines_cols()
            self._screen.clear()
        elif self._typed is not None:
            self._type(key)
        elif self._asked is not None:
            act, self._asked = self._asked, None
            if key in (ord("y"), ord("Y")):
                self._do(act)
        elif self._help:
            self._help = False
        elif key == ord("q"):
            self._over = True
        else:
            self._command(key)

    def _command(self, key: int) -> None:
        board = self.board
        if key in _STEPS:
            board.move(_STEPS[key])
        elif key in _ENTER and board.selected is not None:
            board.open(board.selected.route)
            self._wake.set()
        elif key == _ESCAPE:
            board.opened, board.filter = "", board.filter if board.opened else ""
        elif key == ord("?"):
            self._help = True
        elif key == ord("s"):
            board.sort_next()
        elif key == ord("e"):
            board.endpoints = not board.endpoints
            board.move(0)
        elif key == ord("/"):
            self._ask("find: ", board.filter, self._filter)
        elif key == ord("m"):
            self._ask_where()
        elif 0 < key < 128 and (act := act_of(chr(key), board)) is not None:
            self._asked = act

    def _ask(self, prompt: str, text: str, then: Callable[[str], None]) -> None:
        self._prompt, self._typed, self._then = prompt, text, then
        self._fresh = True

    def _type(self, key: int) -> None:
        assert self._typed is not None
        if key in _ENTER:
            text, self._typed = self._typed, None
            self._then(text)
        elif key == _ESCAPE:
            self._typed = None
        elif key in (curses.KEY_BACKSPACE, 8, 127):
            self._typed, self._fresh = self._typed[:-1], False
        elif key == 21:  # Ctrl-U
            self._typed, self._fresh = "", False
        elif 32 <= key < 127:
            self._typed = ("" if self._fresh else self._typed) + chr(key)
            self._fresh = False

    def _filter(self, text: str) -> None:
        self.board.filter = text.strip()
        rows = self.board.rows()
        self.board.selected = rows[0] if rows else None

    def _ask_where(self) -> None:
        name = self.board.opened or (self.board.selected.route if self.board.selected else "")
        route = self.board.route(name)
        if route is not None:
            here = " ".join(part.endpoint for part in route.endpoints)
            self._ask(f"move {name} to: ", here, lambda text: self._check(name, text))

    def _check(self, name: str, text: str) -> None:
        """Check what a move would do, and ask whether to do it."""
        route = self.board.route(name)
        if route is None:
            return
        seen = tuple(part.endpoint for part in route.endpoints)
        self._say("asking the endpoints ...", "warn")
        self._later(lambda: checked(self._path, name, tuple(text.split()), seen), self._put)

    def _put(self, act: Act) -> None:
        self._said, self._asked = "", act

    def _do(self, act: Act) -> None:
        self._say("...", "warn")
        self._later(lambda: act.do(self._path), lambda text: self._say(text, "good"))

    def _later(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Do `work` in a thread, so that keys go on working; `then` gets its result."""

        def working() -> None:
            try:
                done = work()
            except AmbassadorError as error:
                text = " ".join(str(error).split())
                self._news.put(lambda: self._say(text, "bad"))
            else:
                self._news.put(lambda: then(done))
                self._wake.set()

        threading.Thread(target=working, name="command", daemon=True).start()

    def _say(self, text: str, tone: str) -> None:
        self._said, self._tone, self._until = text, tone, time.monotonic() + _SAID

    # --- the screen ---

    def _made_tones(self) -> dict[str, int]:
        plain = {"bold": curses.A_BOLD, "dim": curses.A_DIM, "cursor": curses.A_REVERSE}
        if os.environ.get("NO_COLOR") or not curses.has_colors():
            return {**plain, "bad": curses.A_BOLD, "warn": curses.A_BOLD}
        curses.start_color()
        with suppress(curses.error):
            curses.use_default_colors()
        for number, (tone, colour) in enumerate(_COLOURS.items(), 1):
            curses.init_pair(number, colour, -1)
            plain[tone] = curses.color_pair(number)
        return plain

    def _draw(self) -> None:
        height, width = self._screen.getmaxyx()
        self._screen.erase()
        if why := too_small(width, height):
            self._put_line(0, [(why[: max(0, width - 1)], "")])
        elif self._help:
            for place, text in enumerate(HELP[:height]):
                self._put_line(place, [(text[: width - 1], "" if place else "bold")])
        else:
            found, self._first = lines(self.board, self._events, width - 1, height, self._first)
            for place, line in enumerate(found):
                self._put_line(place, line)
            text, tone = self._last_line()
            told = [text[: width - 1]] if tone == "dim" else wrap(text, width - 1, height // 2)
            for place, part in enumerate(told, height - len(told)):
                self._screen.move(place, 0)
                self._screen.clrtoeol()
                self._put_line(place, [(part, tone)])
        self._screen.refresh()

    def _last_line(self) -> tuple[str, str]:
        """Return the text of the last line, and its tone."""
        if self._typed is not None:
            hint = "   (typing starts over, Backspace edits)" if self._fresh and self._typed else ""
            return f"{self._prompt}{self._typed}_{hint}", "bold"
        if self._asked is not None:
            return f"{self._asked.question} (y/N)", "warn"
        return (self._said, self._tone) if self._said else (KEYS, "dim")

    def _put_line(self, row: int, line: Line) -> None:
        column = 0
        for text, tone in line:
            with suppress(curses.error):  # raised for the last column of the last line
                try:
                    self._screen.addstr(row, column, text, self._tones.get(tone, 0))
                except UnicodeEncodeError:  # the terminal takes only ASCII
                    plain = text.encode("ascii", "replace").decode()
                    self._screen.addstr(row, column, plain, self._tones.get(tone, 0))
            column += len(text)
