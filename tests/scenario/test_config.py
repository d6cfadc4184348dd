"""ambassador.toml while the program runs: what changed is touched, and nothing else."""

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ
from tests.relay.peers import read_exactly
from tests.wait import until


@pytest.fixture
def write(tmp_path):
    """Write the file as an editor does: another one, renamed."""

    def writing(text):
        other = tmp_path / "ambassador.toml.new"
        other.write_text(text)
        other.rename(tmp_path / "ambassador.toml")

    return writing


@pytest.fixture
def start(tmp_path):
    programs = []

    def starting(*arguments, **environ):
        config = str(tmp_path / "ambassador.toml")
        environ = {"AMBASSADOR_ADMIN": str(tmp_path / "admin.sock"), **environ}
        programs.append(Program(f"--config={config}", *arguments, **environ))
        return programs[-1].started()

    yield starting
    for program in programs:
        with program:
            pass


@pytest.fixture
def status(tmp_path):
    def asking():
        command = [*COMMAND, "status", "--json", f"--admin={tmp_path}/admin.sock"]
        done = subprocess.run(
            command, capture_output=True, text=True, env=clean_environ(), timeout=30, check=True
        )
        return json.loads(done.stdout)

    return asking


def table(name, listen, *endpoints, **options):
    lines = [f"[route.{name}]", f'listen = "127.0.0.1:{listen}"']
    lines.append(f"endpoints = {json.dumps([f'tcp://127.0.0.1:{port}' for port in endpoints])}")
    lines += [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    return "\n".join([*lines, ""])


def ask(client):
    client.sendall(b"question")
    assert read_exactly(client, 8) == b"question"


def test_only_what_changed_is_touched(start, write, peers, status):
    one, two, three = (peers.echo() for _ in range(3))
    a, b, c = free_port(), free_port(), free_port()
    write(table("a", a, one.port) + table("b", b, one.port))
    program = start()
    clients = {port: peers.connect(port) for port in (a, b)}
    for client in clients.values():
        ask(client)
    write(
        "# moved down\n"
        + table("a", a, one.port)
        + table("b", b, two.port, existing="cut")
        + table("c", c, three.port)
    )
    assert program.wait_for("reloaded") == "reloaded: 2 changes"
    changed = [e["route"] for e in program.events if e["event"] == "route_changed"]
    assert changed == ["b"]
    with peers.connect(b) as client:
        ask(client)
    assert two.accepted == 1
    with peers.connect(c) as client:
        ask(client)
    ask(clients[a])  # the session of before
    routes = {route["name"]: route for route in status()["routes"]}
    assert (routes["a"]["opened"], routes["a"]["open"]) == (1, 1)
    assert (routes["a"]["to_upstream"], routes["a"]["to_client"]) == (16, 16)
    assert (routes["b"]["opened"], routes["b"]["open"]) == (2, 0)
    with pytest.raises(ConnectionResetError):
        read_exactly(clients[b], 1)


def test_a_wrong_file_changes_nothing_and_is_told_until_it_is_right(
    start, write, peers, status, tmp_path
):
    echo, port = peers.echo(), free_port()
    write(table("a", port, echo.port))
    program = start()
    for number, wrong in enumerate((table("a", port, echo.port, conect="1s"), "[route.a", ""), 1):
        write(wrong)
        until(lambda number=number: len(program.said("reload_failed")) == number, 10)
        with peers.connect(port) as client:
            ask(client)
    first, second, third = program.said("reload_failed")
    path = tmp_path / "ambassador.toml"
    assert f"{path}, line 4, route.a.conect: " in first
    assert 'did you mean "connect"?' in first
    assert f"{path}, line 1: is not TOML" in second
    assert "no route" in third
    path.unlink()
    until(lambda: len(program.said("reload_failed")) == 4, 10)
    assert "No such file" in program.said("reload_failed")[3]
    errors = {source["name"]: source["error"] for source in status()["sources"]}
    assert "No such file" in errors["file"]
    assert errors["environment"] == ""
    write(table("a", port, echo.port, connect="1s"))
    program.wait_for("reloaded")
    assert {source["error"] for source in status()["sources"]} == {""}


def test_a_file_that_is_written_in_pieces_refuses_nobody(start, write, peers, tmp_path):
    echo, ports = peers.echo(), [free_port() for _ in range(5)]
    tables = [table(f"r{port}", port, echo.port) for port in ports]
    write("".join(tables))
    program = start()
    path = tmp_path / "ambassador.toml"
    with path.open("w") as file:
        for one in tables:
            file.write(one)
            file.flush()
            written = time.monotonic()
            while time.monotonic() - written < 0.4:
                with peers.connect(ports[-1]) as client:
                    ask(client)
    assert program.wait_for("reloaded") == "reloaded: 0 changes"
    # Written in one piece, but perhaps not to its end: kept, said, and done when it is asked for.
    write(tables[0])
    assert "4 of its 5 routes are gone at once" in program.wait_for("reload_failed")
    with peers.connect(ports[-1]) as client:
        ask(client)
    program.send(signal.SIGHUP)
    until(lambda: "reloaded: 4 changes" in program.said("reloaded"), 10)


def test_a_file_bound_alone_and_replaced_on_the_host_is_said(write, peers, tmp_path):
    echo, port = peers.echo(), free_port()
    write(table("a", port, echo.port))
    bound = tmp_path / "bound.toml"
    bound.write_text("")
    mount = 'mount --make-rprivate / && mount --bind "$0" "$1" && shift && exec "$@"'
    before = ("unshare", "-m", "sh", "-c", mount, str(tmp_path / "ambassador.toml"), str(bound))
    with Program(f"--config={bound}", before=before).started() as program:
        write(table("a", port, echo.port) + table("b", free_port(), echo.port))
        assert "was replaced on the host" in program.wait_for("reload_failed")
        with peers.connect(port) as client:
            ask(client)


def test_two_hundred_sighups_are_two_reloads_and_the_stop_does_not_wait(start, write, peers):
    echo, first = peers.echo(), free_port(300)
    write("".join(table(f"r{n}", first + n, echo.port) for n in range(300)))
    program = start()
    for _ in range(200):
        program.send(signal.SIGHUP)  # at once: spread over 0.2 s, a fast machine makes 20 reloads
    program.send(signal.SIGTERM)
    program.wait_for("stopped")
    assert len(program.said("reloaded")) < 20


def test_a_sighup_before_it_has_begun_is_a_reload_once_it_has(write, peers, tmp_path):
    echo, port = peers.echo(), free_port()
    write(table("a", port, echo.port))
    with Program(f"--config={tmp_path}/ambassador.toml") as program:
        masked = Path(f"/proc/{program.process.pid}/status")
        bit = 1 << (signal.SIGHUP - 1)
        until(lambda: int(re.search(r"SigBlk:\s*(\w+)", masked.read_text())[1], 16) & bit)
        program.send(signal.SIGHUP)
        assert program.wait_for("reloaded") == "reloaded: 0 changes"


def test_in_the_image_a_sighup_while_python_still_begins_is_a_reload_too(write, peers, tmp_path):
    echo, port = peers.echo(), free_port()
    write(table("a", port, echo.port))
    root = Path(__file__).parents[2]
    (entrypoint,) = re.findall(
        r"^ENTRYPOINT ((?:.*\\\n)*.*)$", (root / "Dockerfile").read_text(), re.M
    )
    words = json.loads(entrypoint.replace("\\\n", ""))
    python, script = "/opt/ambassador/bin/python3", "/opt/ambassador/supervisor.pyc"
    here = {python: COMMAND[0], script: str(root / "src" / "ambassador" / "supervisor.py")}
    before = tuple(here.get(one, one) for one in words[: words.index("ambassador")])
    assert set(here.values()) < set(before)
    with Program(f"--config={tmp_path}/ambassador.toml", before=before) as program:
        running = Path(f"/proc/{program.process.pid}/cmdline")
        until(lambda: running.read_text().startswith(f"{COMMAND[0]}\0"))
        program.send(signal.SIGHUP)
        assert program.wait_for("reloaded") == "reloaded: 0 changes"
        assert program.stop() == 0


def test_sighup_reads_it_at_once(start, write, peers):
    old, new, port = peers.echo(), peers.echo(), free_port()
    write(table("a", port, old.port))
    program = start()
    write(table("a", port, new.port))
    program.send(signal.SIGHUP)
    program.wait_for("reloaded")
    with peers.connect(port) as client:
        ask(client)
    assert (old.accepted, new.accepted) == (0, 1)


def test_a_route_of_the_environment_comes_before_that_of_the_file(start, write, peers):
    one, two, port, other = peers.echo(), peers.echo(), free_port(), free_port()
    write(table("redis", port, one.port) + table("db", other, one.port))
    program = start(
        **{
            f"REDIS_PORT_{port}_TCP": f"tcp://127.0.0.1:{two.port}",
            f"REDIS_PORT_{port}_TCP_LISTEN": f"127.0.0.1:{port}",
        }
    )
    assert [line for line in program.said("note") if "is not used" in line] == [
        f"{program.process.args[-1].partition('=')[2]}, line 1 is not used: "
        f"environment variable REDIS_PORT_{port}_TCP comes before it"
    ]
    for listen in (port, other):
        with peers.connect(listen) as client:
            ask(client)
    assert (one.accepted, two.accepted) == (1, 1)


def check(*arguments, **environ):
    return subprocess.run(
        [*COMMAND, "check", *arguments],
        capture_output=True,
        text=True,
        env=clean_environ(**environ),
        timeout=30,
        check=False,
    )


def test_check_reads_it_too(write, tmp_path):
    path = tmp_path / "ambassador.toml"
    write(table("a", 7000, 7001, pick="least"))
    done = check(f"--config={path}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "a      127.0.0.1:7000  127.0.0.1:7001  pick=least" in done.stdout
    assert f"{path}, line 1" in done.stdout
    write(table("a", 7000, 7001, pick="last"))
    done = check(AMBASSADOR_CONFIG=str(path))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {path}, line 4, route.a.pick: ")
    assert check("--config=/nowhere/ambassador.toml").returncode == 1


def test_in_a_pod_a_file_is_enough(write, tmp_path):
    write(table("a", 7000, 7001))
    done = check(
        f"--config={tmp_path}/ambassador.toml",
        KUBERNETES_SERVICE_HOST="10.96.0.1",
        DB_PORT_5432_TCP="tcp://10.0.0.1:5432",
    )
    assert done.returncode == 0
    assert "note: not taken without AMBASSADOR_ROUTES: db" in done.stdout
