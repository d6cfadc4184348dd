import signal

import pytest

from tests.program import COMMAND, clean_environ
from tests.terminal import Terminal


@pytest.fixture
def top(operated):
    arguments = [*COMMAND, "top", "--plain", "--interval", "50ms", "--admin", str(operated.admin)]
    environ = clean_environ(TERM="xterm", COLUMNS="120", LINES="24")
    with Terminal(arguments, environ) as terminal:
        yield terminal


def test_once_is_for_a_pipe(verb, operated):
    done = verb("top", "--once", "--interval", "50ms")
    assert (done.code, done.err) == (0, "")
    first, blank, head, row = done.out.splitlines()
    assert first.startswith("ready for ")
    assert blank == ""
    assert head.split()[:3] == ["ROUTE", "LISTEN", "PLANE"]
    assert row.split()[:3] == ["web", f":{operated.port}", "relay"]


def test_a_pipe_is_no_terminal(ambassador, operated):
    done = ambassador("top", "--admin", str(operated.admin))
    assert (done.returncode, done.stdout) == (2, "")
    assert "--once" in done.stderr


def test_it_goes_on_until_q_and_gives_the_screen_back(top, operated):
    top.read_until(lambda seen: seen.count("ROUTE") > 3)
    with operated.connect():
        top.read_until(lambda seen: "1 route, 1 open" in seen)
    assert top.seen.startswith("\x1b[?1049h\x1b[?25l")
    top.type("q")
    assert top.read_to_end().endswith("\x1b[?25h\x1b[?1049l")
    assert top.process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_the_screen_back_too(top, number):
    top.read_until(lambda seen: "ROUTE" in seen)
    top.process.send_signal(number)
    assert top.read_to_end().rstrip().endswith("\x1b[?25h\x1b[?1049l")
    assert top.process.returncode == 130


def test_a_terminal_that_cannot_do_it_gets_the_plain_view(operated):
    arguments = [*COMMAND, "top", "--interval", "50ms", "--admin", str(operated.admin)]
    with Terminal(arguments, clean_environ(TERM="dumb")) as terminal:
        terminal.read_until(lambda seen: "TERM=dumb is not a terminal for keys: the plain" in seen)
        terminal.read_until(lambda seen: "ROUTE" in seen)
        terminal.type("q")
        terminal.read_to_end()
        assert terminal.process.returncode == 0
