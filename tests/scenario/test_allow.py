"""Who may come in, as a user sets it: the setting, a file that changes, what status and log say."""

import json
import socket
import subprocess
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ
from tests.relay.echo import Echo
from tests.relay.peers import read_exactly
from tests.wait import until


def is_reset(client):
    try:
        client.sendall(b"x")
        return not client.recv(1)
    except ConnectionError:
        return True


def test_a_file_of_networks_that_changes_cuts_within_a_second_and_a_bad_one_changes_nothing(
    tmp_path,
):
    listed, admin, port = tmp_path / "allow", tmp_path / "admin.sock", free_port()
    listed.write_text("127.0.0.1  # this host\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        upstream = server.getsockname()[1]
        route = f"REDIS_PORT_{port}_TCP=tcp://127.0.0.1:{upstream}"
        with Program(
            route, measured=False, AMBASSADOR_ALLOW=f"@{listed}", AMBASSADOR_ADMIN=str(admin)
        ) as program:
            program.started()
            client = socket.create_connection(("127.0.0.1", port), timeout=10)
            served, _ = server.accept()
            client.sendall(b"hello")
            assert read_exactly(served, 5) == b"hello"

            listed.write_text("127.0.0.1/8\n")
            program.wait_for("networks_failed")
            command = [*COMMAND, "status", "--json", f"--admin={admin}"]
            done = subprocess.run(
                command, capture_output=True, text=True, env=clean_environ(), timeout=30, check=True
            )
            errors = [one["error"] for one in json.loads(done.stdout)["sources"] if one["error"]]
            assert len(errors) == 1
            assert "host bits" in errors[0]
            client.sendall(b"still")
            assert read_exactly(served, 5) == b"still"

            began = time.monotonic()
            listed.write_text("192.0.2.0/24\n")
            client.settimeout(10)
            assert is_reset(client)
            assert time.monotonic() - began < 3  # 1 where the machine is not busy
            with socket.create_connection(("127.0.0.1", port), timeout=10) as stranger:
                assert is_reset(stranger)
            until(lambda: program.said("clients_refused"), what="it is told")
        client.close()
        served.close()


@pytest.mark.parametrize("variable", ["REDIS_PORT_6379_TCP_ALLOW", "AMBASSADOR_ALLOW"])
def test_an_empty_variable_opens_nothing(variable):
    ended = subprocess.run(
        [*COMMAND, "run"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=clean_environ(
            REDIS_PORT_6379_TCP="tcp://127.0.0.1:1", AMBASSADOR_ADMIN="off", **{variable: ""}
        ),
    )
    assert ended.returncode == 2
    assert f"{variable}: a network is missing" in ended.stderr


def test_sessions_that_workers_carry_are_cut_when_their_network_is_taken_away(tmp_path):
    config, admin, port = tmp_path / "a.toml", tmp_path / "admin.sock", free_port()

    def write(more: str) -> None:
        new = tmp_path / "new"
        new.write_text(
            f'[route.echo]\nlisten = ":{port}"\nendpoints = "tcp://127.0.0.1:{echo.port}"\n{more}'
        )
        new.rename(config)

    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    echo = Echo(server)
    stop, ended = threading.Event(), []

    def ask_on(host: str) -> None:
        with socket.create_connection(("127.0.0.1", port), 30, (host, 0)) as client:
            try:
                while not stop.is_set():
                    client.sendall(b"x")
                    assert client.recv(1)
            except (OSError, AssertionError):
                ended.append(host)

    write("")
    environ = {
        "AMBASSADOR_CONFIG": str(config),
        "AMBASSADOR_ADMIN": str(admin),
        "AMBASSADOR_WORKERS": "2",
    }
    with ExitStack() as stack:
        stack.enter_context(server)
        stack.callback(echo.close)
        program = stack.enter_context(Program(measured=False, **environ)).started()
        hosts = ["127.0.0.5", "127.0.0.6"] * 8
        clients = [threading.Thread(target=ask_on, args=(host,), daemon=True) for host in hosts]
        stack.callback(stop.set)
        for one in clients:
            one.start()
        until(lambda: sockets_of_workers(program.process.pid) >= 16, 30.0, "workers carry them")
        write('deny = "127.0.0.6"\nallow = "127.0.0.0/8"\n')
        subprocess.run(
            [*COMMAND, "reload", f"--admin={admin}"],
            env=clean_environ(),
            check=True,
            capture_output=True,
            timeout=30,
        )
        until(lambda: len(ended) == 8, 10.0, "those of the network are cut")  # within 1 s, alone
        assert set(ended) == {"127.0.0.6"}
        stop.set()
        for one in clients:
            one.join(30)
        assert ended == ["127.0.0.6"] * 8


def sockets_of_workers(pid: int) -> int:
    """Return how many sockets the child processes of `pid` have."""
    found = 0
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(OSError):  # it has just ended, or closed one
            for one in Path(f"/proc/{child}/fd").iterdir():
                found += str(one.readlink()).startswith("socket:")
    return found
