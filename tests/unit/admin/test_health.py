"""What a healthcheck asks needs no API; what cannot be imported is said."""

import json
import socket
import sys
import threading

import pytest

from ambassador.admin import door, health
from ambassador.admin.health import UntilAsked
from tests.unit.admin.web import connect, ended, request
from tests.wait import until


def test_only_what_is_asked_beside_health_builds_the_rest(looping, reconciler, serve, tmp_path):
    built = []

    def build():
        built.append(1)
        return rest

    async def rest(scope, receive, send):
        await health._send(send, 200, "text/plain", scope["path"])

    server = serve(tmp_path / "admin.sock")
    looping.do(reconciler.start())
    app = UntilAsked(build, reconciler)

    async def ask(path, query=b"", headers=(), method="GET"):
        sent = []

        async def send(message):
            sent.append(message)

        scope = {"path": path, "query_string": query, "headers": headers, "method": method}
        await app(scope, None, send)
        return sent[0]["status"], sent[1]["body"]

    assert looping.do(ask("/healthz")) == (200, b"ok\n")
    assert looping.do(ask("/readyz")) == (200, b"ready\n")
    reconciler.waits_for = "redis"
    assert looping.do(ask("/readyz")) == (503, b"waits for endpoints: redis\n")
    assert built == []
    for more in (
        {"query": b"endpoints"},
        {"headers": [(b"origin", b"http://evil.example")]},
        {"headers": [(b"sec-fetch-site", b"cross-site")]},
        {"method": "POST"},
    ):
        assert looping.do(ask("/readyz", **more)) == (200, b"/readyz")
    assert looping.do(ask("/v1/status")) == (200, b"/v1/status")
    assert built == [1]
    looping.do(server.stop())


@pytest.mark.parametrize("missing", ["ambassador.admin.web", "ambassador.admin.connection"])
def test_what_cannot_be_imported_is_answered_with_503_and_said(
    missing, serve, tmp_path, monkeypatch, capsys
):
    """The program on disk may be another than the one that runs."""
    monkeypatch.setitem(sys.modules, missing, None)
    path = tmp_path / "admin.sock"
    serve(path)
    answer = request(path, "/v1/status")
    assert answer.status == 503
    told = json.loads(answer.body)
    assert told["kind"] == "failed"
    assert missing in told["message"]
    assert "ambassador run --upgrade" in told["message"]
    monkeypatch.undo()
    # It is tried again; a client that comes while others are turned away is one of them.
    until(lambda: request(path, "/healthz").status == 200)
    assert request(path, "/v1/status").status == 200


def test_a_client_that_is_turned_away_before_it_has_asked_may_still_ask(
    serve, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "ambassador.admin.connection", None)
    path = tmp_path / "admin.sock"
    serve(path)
    with connect(path) as sock:
        assert sock.recv(12, socket.MSG_PEEK | socket.MSG_WAITALL) == b"HTTP/1.1 503"
        sock.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"Connection: close" in ended(sock)


def test_an_ambassador_that_is_not_asked_imports_nothing_that_answers(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(door, "import_uvicorn", lambda: pytest.fail("nobody has asked"))
    serve(tmp_path / "admin.sock")


def test_a_request_that_has_not_begun_ends_with_the_door(looping, serve, tmp_path, monkeypatch):
    """Also one whose client has gone: it was refused for the rest that it sent."""
    go_on = threading.Event()
    asked = threading.Event()

    def slow():
        asked.set()
        go_on.wait(10)

    monkeypatch.setattr(health, "import_starlette", slow)
    path = tmp_path / "admin.sock"
    server = serve(path)
    with connect(path) as gone, connect(path) as waits:
        gone.sendall(
            b"POST /v1/hold HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
        )
        assert ended(gone).startswith(b"HTTP/1.1 400")
        waits.sendall(b"POST /v1/hold HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert asked.wait(10)
        looping.do(server.stop())
        assert b"is stopping" in ended(waits)
    go_on.set()
