"""The listeners on TCP as the user asks for them, or asks wrongly."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess

import pytest

from ambassador.admin import client
from ambassador.core.commands import Reload, Status
from ambassador.errors import ConfigError
from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ, is_ready
from tests.wait import until

TOKEN = "0123456789abcdef-a-secret"


def refused(**environ):
    """Return what is said when it does not start, with the exit code 2."""
    port = free_port()
    done = subprocess.run(
        [*COMMAND, "run", f"WEB_PORT_{port}_TCP=tcp://127.0.0.1:1"],
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
        env=clean_environ(AMBASSADOR_ADMIN="off", **environ),
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert TOKEN not in done.stderr
    return done.stderr


def test_without_a_token_it_does_not_start():
    said = refused(AMBASSADOR_API=f"127.0.0.1:{free_port()}")
    assert "AMBASSADOR_API_TOKEN_FILE: must be set: over TCP the API asks for a token" in said


def test_with_two_tokens_it_does_not_start(tmp_path):
    said = refused(
        AMBASSADOR_API=f"127.0.0.1:{free_port()}",
        AMBASSADOR_API_TOKEN=TOKEN,
        AMBASSADOR_API_TOKEN_FILE=str(tmp_path / "token"),
    )
    assert "is set beside AMBASSADOR_API_TOKEN" in said


@pytest.mark.parametrize("token", ["secret", f"{TOKEN} two words", f"{TOKEN}\u00e9"])
def test_with_a_token_that_cannot_be_trusted_it_does_not_start_nor_say_it(token):
    said = refused(AMBASSADOR_API=f"127.0.0.1:{free_port()}", AMBASSADOR_API_TOKEN=token)
    assert "is not a token that can be trusted" in said
    assert "read:     ***" in said
    assert token not in said


@pytest.mark.parametrize("variable", ["AMBASSADOR_API", "AMBASSADOR_METRICS"])
@pytest.mark.parametrize("text", ["soon", "80-90", "name:80", "unix:///a", ":0", ":99999"])
def test_an_address_that_makes_no_sense(variable, text):
    said = refused(AMBASSADOR_API_TOKEN=TOKEN, **{variable: text})
    assert f"environment variable {variable}: " in said


def test_check_says_the_same():
    done = subprocess.run(
        [*COMMAND, "check", "WEB_PORT_80_TCP=tcp://127.0.0.1:1"],
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
        env=clean_environ(AMBASSADOR_API=":1"),
    )
    assert done.returncode == 2
    assert "over TCP the API asks for a token" in done.stderr


def test_a_port_that_is_taken_leaves_nothing_begun():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port, listen = taken.getsockname()[1], free_port()
        environ = {"AMBASSADOR_METRICS": f"127.0.0.1:{port}"}
        with Program(f"WEB_PORT_{listen}_TCP=tcp://127.0.0.1:1", **environ) as program:
            assert program.exit_code() == 1
            assert (
                f"metrics on 127.0.0.1:{port}: address already in use"
                in program.said("not_started")[0]
            )
            assert program.said("route_started") == []


def test_the_token_is_nowhere_in_the_log(tmp_path):
    api = free_port()
    environ = {"AMBASSADOR_API": f"127.0.0.1:{api}", "AMBASSADOR_API_TOKEN": TOKEN}
    listen = free_port()
    arguments = f"WEB_PORT_{listen}_TCP=tcp://127.0.0.1:1"
    with Program(arguments, AMBASSADOR_LEVEL="debug", **environ) as program:
        program.started()
        for token, status in ((TOKEN, 200), (f"{TOKEN}x", 401)):
            connection = http.client.HTTPConnection("127.0.0.1", api, timeout=10)
            connection.request("GET", "/v1/status", headers={"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            assert response.status == status
            assert TOKEN not in response.read().decode()
            connection.close()
        assert program.stop() == 0
        assert TOKEN not in str(program.events) + str(program.rest)


def test_a_token_is_replaced_by_a_reload_and_a_bad_one_is_not_taken(tmp_path):
    file, api, admin = tmp_path / "token", free_port(), tmp_path / "admin.sock"
    file.write_text("first-0123456789abcdef\n")

    def status(token):
        connection = http.client.HTTPConnection("127.0.0.1", api, timeout=10)
        connection.request("GET", "/v1/status", headers={"Authorization": f"Bearer {token}"})
        code = connection.getresponse().status
        connection.close()
        return code

    with Program(
        f"WEB_PORT_{free_port()}_TCP=tcp://127.0.0.1:1",
        AMBASSADOR_API=f"127.0.0.1:{api}",
        AMBASSADOR_API_TOKEN_FILE=str(file),
        AMBASSADOR_ADMIN=str(admin),
    ) as program:
        program.started()
        until(lambda: is_ready(admin))
        assert status("first-0123456789abcdef") == 200
        file.write_text("second-0123456789abcdef\n")
        program.send(signal.SIGHUP)
        program.wait_for("token_replaced")
        assert status("first-0123456789abcdef") == 401
        assert status("second-0123456789abcdef") == 200
        file.write_text("short\n")
        with pytest.raises(ConfigError, match="is not a token that can be trusted"):
            client.ask(admin, Reload())
        assert status("second-0123456789abcdef") == 200
        sources = client.ask(admin, Status()).sources
        assert [one.name for one in sources if one.error] == ["token"]
        file.write_text("third-0123456789abcdef\n")
        client.ask(admin, Reload())
        assert status("second-0123456789abcdef") == 401
        assert status("third-0123456789abcdef") == 200
        assert not any(one.error for one in client.ask(admin, Status()).sources)
        assert "cdef" not in str(program.events)
