"""The admin socket as anybody may speak to it: HTTP over a unix socket."""

import json
import os
import socket
import stat
import time
from http.client import HTTPResponse

import pytest

from ambassador.admin.server import AdminServer
from ambassador.errors import RunError


def request(path, url, method="GET"):
    """Return the status and the body of one request of HTTP/1.1."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(str(path))
        sock.sendall(f"{method} {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        response = HTTPResponse(sock, method=method)
        response.begin()
        return response.status, response.read()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "admin.sock"


def test_only_its_owner_may_ask(serve, path):
    old = os.umask(0)
    try:
        serve(path)
        assert os.umask(0) == 0  # what it was
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_health_readiness_and_status(serve, path, looping, reconciler):
    serve(path)
    assert request(path, "/healthz") == (200, b"ok\n")
    assert request(path, "/readyz") == (503, b"starting\n")
    looping.do(reconciler.start())
    assert request(path, "/readyz") == (200, b"ready\n")
    code, body = request(path, "/v1/status")
    assert code == 200
    assert [route["name"] for route in json.loads(body)["routes"]] == ["redis"]
    looping.do(reconciler.stop(0))
    assert request(path, "/readyz") == (503, b"stopping\n")
    assert request(path, "/healthz") == (200, b"ok\n")


def test_nothing_else_is_answered(serve, path):
    serve(path)
    assert request(path, "/nothing")[0] == 404
    assert request(path, "/v1/status", "POST")[0] == 405


def test_a_second_ambassador_on_one_socket_is_refused(serve, path):
    serve(path)
    with pytest.raises(RunError, match="another ambassador answers there"):
        serve(path)
    assert request(path, "/healthz")[0] == 200


def test_a_second_one_is_refused_even_while_the_first_is_too_busy_to_accept(path, serve):
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(str(path))
        busy.listen(0)
        waiting.connect(str(path))
        with pytest.raises(RunError, match="another ambassador answers there"):
            serve(path)


def test_the_socket_of_a_dead_ambassador_is_taken_over(serve, path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    assert path.is_socket()
    serve(path)
    assert request(path, "/healthz")[0] == 200


def test_a_file_that_is_no_socket_is_left_alone(serve, path):
    path.write_text("precious")
    with pytest.raises(RunError, match="a file that is not a socket stands there"):
        serve(path)
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["missing/admin.sock", "x" * 108])
def test_a_path_that_cannot_be_says_why(serve, tmp_path, name):
    with pytest.raises(RunError, match=r"^admin socket .*(No such file|too long)"):
        serve(tmp_path / name)


@pytest.mark.alone
def test_stop_removes_the_socket_at_once_though_somebody_holds_a_connection(
    looping, reconciler, path
):
    admin = looping.call(AdminServer, path, reconciler)
    looping.call(admin.bind)
    looping.do(admin.start())
    with socket.socket(socket.AF_UNIX) as silent, socket.socket(socket.AF_UNIX) as kept:
        silent.connect(str(path))
        kept.connect(str(path))
        kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert kept.recv(1000).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        looping.do(admin.stop())
        assert time.monotonic() - began < 0.2
        assert not path.exists()
        silent.settimeout(5)
        assert silent.recv(1) == b""


def test_stop_without_start_removes_it_too(looping, reconciler, path):
    admin = looping.call(AdminServer, path, reconciler)
    looping.call(admin.bind)
    looping.do(admin.stop())
    assert not path.exists()


def test_stop_leaves_the_socket_of_another(looping, reconciler, path):
    admin = looping.call(AdminServer, path, reconciler)
    looping.call(admin.bind)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        looping.do(admin.stop())
        assert path.is_socket()


def test_start_without_bind_is_a_bug(looping, reconciler, path):
    with pytest.raises(RuntimeError, match="bind"):
        looping.do(looping.call(AdminServer, path, reconciler).start())


def test_what_another_has_made_there_since_stays_though_it_has_the_same_number(
    looping, reconciler, path
):
    first, second = (AdminServer(path, reconciler) for _ in range(2))
    looping.call(first.bind)
    number = path.stat().st_ino
    looping.do(first.stop())
    looping.call(second.bind)
    second_number = path.stat().st_ino  # most file systems give out a free number again
    looping.do(first.stop())
    assert path.exists(), f"{number} was gone, {second_number} came"
    looping.do(second.stop())
    assert not path.exists()
