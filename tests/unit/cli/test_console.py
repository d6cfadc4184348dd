"""`top` as people work in it: a real terminal, keys, and an ambassador that comes and goes."""

import os
import signal
import termios

import pytest

from ambassador.admin import client
from ambassador.core.commands import Hold, Move, Sessions, Status
from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ, is_ready
from tests.terminal import Screen
from tests.unit.cli.operated import url
from tests.wait import until

DOWN, ESCAPE = "\x1b[B", "\x1b"


def on(admin, columns=120, rows=30, **environ):
    arguments = [*COMMAND, "top", "--interval", "200ms", "--admin", str(admin)]
    environ = {"TERM": "linux", "LC_ALL": "C.UTF-8", **environ}
    return Screen(arguments, clean_environ(**environ), columns, rows)


@pytest.fixture
def top(operated):
    with on(operated.admin) as screen:
        screen.see("web  :")
        yield screen


def route(operated):
    return client.ask(operated.admin, Status("web")).routes[0]


def test_routes_endpoints_totals_scale_events_and_keys_are_there(top, operated):
    client.ask(operated.admin, Hold("web"))
    text = top.see("web held")  # among the last events
    first, totals, head, *_, last = text.splitlines()
    assert first.startswith("ready for ")
    assert totals.startswith("1 routes   0 open   ")
    assert "0 refused" in totals
    words = "ROUTE (1) PLANE STATE OPEN WAIT NEW/S UP/S DOWN/S REFUSED "
    assert " ".join(head.split()).startswith(words)
    assert "NEW 0-" in head  # the one scale of the plots
    assert last.startswith("? help  q quit  ")
    assert f"  o 127.0.0.1:{operated.first.port}" in text
    assert "not probed" in text
    top.see("relay  held")


def test_a_hold_is_asked_once_and_done_with_y(top, operated):
    top.type("h")
    top.see("hold web: new sessions wait, 0 sessions go on? (y/N)")
    top.type("n")
    top.see("? help")
    assert route(operated).hold is None
    top.type("h")
    top.see("(y/N)")
    top.type("y")
    until(lambda: route(operated).hold is not None, 20)
    top.see("relay  held")
    top.type("r")
    top.see("release web: no clients wait?")
    top.type("y")
    until(lambda: route(operated).hold is None, 10)


def test_a_move_shows_what_would_happen_first(top, operated):
    top.type("m")
    top.see(f"move web to: {url(operated.first)}_")
    top.type(f"\x15{url(operated.second)}\r")  # Ctrl-U
    top.see(f"move web to {url(operated.second)}: 127.0.0.1:{operated.second.port} answers; ")
    assert route(operated).endpoints[0].endpoint == url(operated.first)
    top.type("y")
    top.see("web moved to")
    until(lambda: route(operated).endpoints[0].endpoint == url(operated.second), 10)
    top.type("u")
    top.see("take back the last change of web")
    top.type("y")
    until(lambda: route(operated).endpoints[0].endpoint == url(operated.first), 10)


def test_what_cannot_be_is_told(top, operated):
    top.type("m")
    top.see("move web to:")
    top.type(f"\x15{operated.dead}\r")
    top.see("does not answer")
    assert client.ask(operated.admin, Move("web", (url(operated.second),), check=True))


def test_an_endpoint_is_drained_and_ready_again(top, operated):
    top.type(DOWN)
    top.type("d")
    top.see(f"drain {url(operated.first)}: 0 sessions go on, no new ones?")
    top.type("y")
    top.see("drain  ")
    assert route(operated).endpoints[0].admin == "drain"
    top.see("no endpoint")
    top.type("a")
    top.see("ready again for new sessions?")
    top.type("y")
    until(lambda: route(operated).endpoints[0].admin == "ready", 10)


def test_a_route_is_opened_and_one_of_its_sessions_cut(top, operated):
    with operated.connect() as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        top.type("\r")
        top.see("SESSIONS 1 of 1")
        ident = client.ask(operated.admin, Sessions("web")).sessions[0].id
        top.type("c")
        top.see(f"cut session {ident} of 127.0.0.1:")
        top.type("y")
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        top.see("SESSIONS 0 of 0")
    top.type(ESCAPE)
    top.see("ROUTE (1)")


def test_it_is_sorted_filtered_and_explained(top):
    top.type("s")
    top.see("sorted by open")
    top.type("/nothing\r")
    top.see("no route matches")
    top.type(ESCAPE)
    top.see("web  :")
    top.type("?")
    assert "take back the last change" in top.see("any key: back")
    top.type("x")
    top.see("web  :")
    top.type("e")
    top.wait(lambda shown: "o 127.0.0.1" not in shown)


def test_it_is_resized_and_says_when_it_is_too_small(top):
    top.resize(50, 8)
    top.see("50x8 is too small: 60x12 at least (q: quit)")
    top.resize(100, 20)
    top.see("web  :")


def test_a_narrow_terminal_shows_the_whole_question(top, operated):
    top.resize(60, 14)
    top.type("m")
    top.see("Backspace edits")
    top.type(f"{url(operated.second)}\r")  # typing replaces what is proposed
    text = top.see("(y/N)")
    asked = " ".join(text[text.index("move web to") :].split())
    assert f"move web to {url(operated.second)}: " in asked
    assert asked.endswith("? (y/N)")


def test_q_leaves_the_terminal_as_it_was(operated):
    with on(operated.admin, TERM="xterm") as screen:
        before = termios.tcgetattr(screen._ours)
        screen.read_until(lambda seen: "web" in seen)
        screen.type("q")
        assert "\x1b[?1049l" in screen.read_to_end()
        assert screen.process.returncode == 0
        assert termios.tcgetattr(screen._ours) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_does_so_too(operated, number):
    with on(operated.admin, TERM="xterm") as screen:
        screen.read_until(lambda seen: "web" in seen)
        screen.process.send_signal(number)
        assert "\x1b[?1049l" in screen.read_to_end()
        assert screen.process.returncode == 130


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "vt100"}], ids=str)
def test_without_colours_it_says_the_same(operated, environ):
    with on(operated.admin, **environ) as screen:
        screen.see("not probed")
        assert {cell.fg for row in screen.screen.buffer.values() for cell in row.values()} == {
            "default"
        }


def test_it_waits_for_an_ambassador_that_comes_back(tmp_path):
    admin, port = tmp_path / "a.sock", free_port()

    def program():
        return Program(
            f"WEB_PORT_{port}_TCP=tcp://127.0.0.1:1",
            AMBASSADOR_ADMIN=str(admin),
            AMBASSADOR_GRACE="0",
        )

    with program() as first:
        until(lambda: is_ready(admin), 20)
        with on(admin) as screen:
            screen.see("web  :")
            assert first.stop() == 0
            screen.see("no answer since")
            assert "web  :" in screen.text  # as it was
            with program() as second:
                until(lambda: is_ready(admin), 20)
                screen.see(f"another process answers now: {second.process.pid}")
                screen.see("ready for")
            os.kill(screen.process.pid, 0)
