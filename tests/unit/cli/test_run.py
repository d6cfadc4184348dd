import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ, is_ready
from tests.terminal import Terminal
from tests.wait import until


def link(port: int, endpoint: str = "tcp://127.0.0.1:1") -> str:
    return f"REDIS_PORT_{port}_TCP={endpoint}"


def test_a_line_when_a_route_starts_and_when_it_stops():
    port = free_port()
    with Terminal(
        [*COMMAND, "run", link(port)], clean_environ(AMBASSADOR_ADMIN="off", NO_COLOR="1")
    ) as terminal:
        seen = terminal.read_until(lambda seen: " is ready: 1 route\r\n" in seen)
        terminal.process.send_signal(signal.SIGTERM)
        seen = terminal.read_to_end()
    assert terminal.process.returncode == 0
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    lines = seen.splitlines()
    assert re.fullmatch(rf"{time} info    redis  :{port} -> 127\.0\.0\.1:1  plane relay", lines[0])
    assert re.fullmatch(rf"{time} info    ambassador [\d.]+ is ready: 1 route", lines[1])
    assert re.fullmatch(rf"{time} info    SIGTERM: stopping", lines[2])
    assert re.fullmatch(rf"{time} info    stopped", lines[3])


def test_the_same_as_json():
    port = free_port()
    with Program(link(port)) as program:
        program.started()
        assert program.stop() == 0
    started = program.events[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", started.pop("time"))
    assert started == {
        "level": "info",
        "event": "route_started",
        "message": f"redis  :{port} -> 127.0.0.1:1  plane relay",
        "route": "redis",
        "line": f"redis  :{port} -> 127.0.0.1:1",
        "plane": "relay",
        "why": "",
        "origin": f"argument REDIS_PORT_{port}_TCP",
    }


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colour_on_a_terminal_whose_owner_likes_it(environ, coloured):
    environ = clean_environ(**{"TERM": "xterm", "AMBASSADOR_ADMIN": "off", **environ})
    environ["AMBASSADOR_GRACE"] = ""  # worth a warning, which is yellow
    with Terminal([*COMMAND, "run", link(free_port())], environ) as terminal:
        seen = terminal.read_until(lambda seen: "AMBASSADOR_GRACE is empty" in seen)
    assert ("\x1b[33m" in seen) is coloured
    assert ("\x1b" in seen) is coloured


def test_an_error_is_red_on_a_terminal():
    with Terminal([*COMMAND, "run", "x"], clean_environ(TERM="xterm")) as terminal:
        seen = terminal.read_to_end()
    assert terminal.process.returncode == 2
    assert seen.startswith("\x1b[1;31merror\x1b[0m: argument x: is neither an assignment nor ")


def test_no_colour_where_there_is_no_terminal(ambassador):
    done = ambassador("run", "x", TERM="xterm")
    assert done.stderr.startswith("error: argument x: ")


def test_a_wrong_configuration_is_2_and_nothing_is_started(ambassador):
    port = free_port()
    done = ambassador("run", link(port), f"DB_PORT_{port}_TCP=tcp://127.0.0.1:2")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: argument DB_PORT_{port}_TCP: listens on :{port}, ")
    assert "expected: one route for each listen address" in done.stderr
    assert re.search(r"\n  example:  DB_PORT_\d+_TCP_LISTEN=:\d+\n", done.stderr)


def test_a_port_that_is_taken_is_1_with_who_to_ask(ambassador, tmp_path):
    admin = tmp_path / "admin.sock"
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        done = ambassador("run", "--admin", str(admin), link(port))
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: redis: cannot listen on :{port} (tcp): address already ")
    assert f"ss -lntp 'sport = :{port}'" in done.stderr
    assert not admin.exists()


def test_an_error_is_a_line_of_json_where_the_log_is(ambassador):
    done = ambassador("run", "REDIS_PORT_6379_TCP=tcp://", AMBASSADOR_LOG="json")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"], event["exit_code"]) == ("not_started", "error", 2)
    assert event["message"].startswith("argument REDIS_PORT_6379_TCP: ")


@pytest.mark.parametrize("flags", [(), ("--log", "json")])
def test_a_wrong_setting_is_a_line_of_json_too(ambassador, flags):
    environ = {} if flags else {"AMBASSADOR_LOG": "json"}
    done = ambassador("run", *flags, "h", "80", AMBASSADOR_GRACE="soon", **environ)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["message"].startswith("environment variable AMBASSADOR_GRACE: ")


def test_an_admin_socket_that_is_taken_is_1(ambassador, running):
    done = ambassador("run", "--admin", str(running.admin), link(free_port()))
    assert done.returncode == 1
    assert done.stderr == f"error: admin socket {running.admin}: another ambassador answers there\n"


def test_what_is_odd_but_not_wrong_is_said():
    with Program(link(free_port()), AMBASSADOR_GRACE="", DB_PORT_5432_TCP="") as program:
        program.started()
        assert program.said("note") == [
            "AMBASSADOR_GRACE is empty: counted as not set",
            "DB_PORT_5432_TCP is empty: counted as not set",
        ]


def test_a_log_nobody_reads_any_longer_does_not_stop_it():
    read, write = os.pipe()
    command = [*COMMAND, "run", "--admin", "off", link(free_port())]
    with subprocess.Popen(command, stderr=write, env=clean_environ()) as process:
        os.close(write)
        try:
            assert b"plane relay" in os.read(read, 65536)
        finally:
            os.close(read)
            process.terminate()  # says so, to nobody
        assert process.wait(10) == 0


def test_an_idle_one_uses_no_cpu(tmp_path):
    admin = tmp_path / "admin.sock"
    arguments = (link(free_port()), f"DNS_PORT_{free_port()}_UDP=udp://127.0.0.1:53")
    with Program(*arguments, AMBASSADOR_ADMIN=str(admin)) as program:
        program.started()
        assert until(lambda: is_ready(admin))

        def woken() -> int:
            tasks = Path(f"/proc/{program.process.pid}/task").glob("*/status")
            lines = [line for task in tasks for line in task.read_text().splitlines()]
            return sum(int(x.split()[1]) for x in lines if x.startswith("voluntary_ctxt_switches"))

        def rests() -> bool:
            before = woken()
            with pytest.raises(subprocess.TimeoutExpired):
                program.process.wait(0.7)
            # one for the answer to `ready` that was still on its way; a poll would be seven or more
            return woken() - before <= 2

        # more than once: tests beside this one change addresses and routes, of which it hears
        assert until(rests)
