"""`ambassador demo` as it is typed."""

import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from ambassador.cli import demo
from ambassador.cli.verbs import invoke
from ambassador.demo import valkey

COMMAND = [sys.executable, "-m", "ambassador", "demo", "--seconds", "2"]


def start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        COMMAND,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "AMBASSADOR_ADMIN": "/nonexistent/ignored"},
    )


def listening(text: str) -> list[int]:
    """Return which of the ports named in the output somebody still listens on."""
    ports = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", text)}
    assert len(ports) >= 2
    found = []
    for port in ports:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                found.append(port)
    return found


def test_it_shows_the_move_ends_by_itself_and_leaves_nothing():
    with start() as program:
        text, _ = program.communicate(timeout=40)
    assert program.returncode == 0, text
    told = [
        *(r"service     Valkey 9\.\d", r"ambassador  REDIS_PORT_6379_TCP=tcp://127\.0\.0\.1:\d+\n"),
        *(r"redis .* -> .*127\.0\.0\.1:\d+ .*plane relay\n", r"is in sync\n"),
        *(r"\$ ambassador move redis tcp://127\.0\.0\.1:\d+ --hold\n", r"redis moved to "),
        *(r"is promoted, .* is stopped\n", r"moved: 0 errors", r"is killed \(SIGKILL\)\n"),
        *(r"requests, all answered; no acknowledged write is lost\n", r"Next"),
        r"ambassador check REDIS_PORT_6379_TCP=",
    ]
    assert re.search(".*".join(told), text, re.S), text
    assert "\x1b" not in text
    assert listening(text) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["plane relay", "is in sync"])
def test_it_cleans_up_when_it_is_interrupted(number, moment):
    with start() as program:
        text = ""
        for line in program.stdout:
            text += line
            if moment in line:
                program.send_signal(number)
                break
        rest, _ = program.communicate(timeout=20)
    assert program.returncode == 130, text + rest
    assert "nothing is left running" in rest
    assert "Traceback" not in rest
    assert listening(text) == []


def test_without_a_valkey_it_says_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(valkey.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert invoke(["demo"]) == 1
    assert "apt-get install redis-server" in capsys.readouterr().err


def test_a_consumer_that_saw_an_error_makes_it_fail(monkeypatch, capsys):
    async def unlucky(_screen, _start, _seconds):
        return demo.Tally(requests=2, answered=1, errors=["request 2: refused"])

    monkeypatch.setattr(demo, "tell", unlucky)
    assert invoke(["demo"]) == 1
    assert "Next" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("on_path", "started_as", "typed"),
    [
        (True, "/opt/bin/ambassador", "ambassador"),
        (False, ".venv/bin/ambassador", ".venv/bin/ambassador"),
        (False, "/usr/lib/ambassador/__main__.py", "python3 -m ambassador"),
    ],
)
def test_what_to_type_next_works_here(monkeypatch, tmp_path, capsys, on_path, started_as, typed):
    async def lucky(_screen, _start, _seconds):
        tally = demo.Tally(requests=1)
        tally.heard("visits", 1, 6379, 0.001)
        return tally

    monkeypatch.setattr(demo, "tell", lucky)
    monkeypatch.setenv("PATH", str(tmp_path))
    if on_path:
        (tmp_path / "ambassador").touch(0o755)
    monkeypatch.setattr(sys, "argv", [started_as, "demo"])
    assert invoke(["demo"]) == 0
    assert f"\n  {typed} check REDIS_PORT_6379_TCP=" in capsys.readouterr().out


def test_help_says_what_it_does(capsys):
    assert invoke(["demo", "--help"]) == 0
    assert "asks no questions" in capsys.readouterr().out
