"""Who may come in, as a user sets it: the setting, a file that changes, what status and log say."""

import json
import socket
import subprocess
import time

import pytest

from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ
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
