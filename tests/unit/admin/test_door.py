"""The raw edge of HTTP: whatever comes, the door stays open for those with manners."""

import random
import resource
import socket
import time

import pytest

from ambassador.admin import door
from ambassador.admin.bounds import FOLLOWERS
from ambassador.admin.door import HEAD_LIMIT
from ambassador.core.shares import shares
from tests.unit.admin.web import answers, connect, ended, exchange, request
from tests.wait import until


@pytest.fixture
def path(serve, tmp_path):
    serve(tmp_path / "admin.sock")
    return tmp_path / "admin.sock"


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00" * 1000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),  # TLS
        b"*1\r\n$4\r\nPING\r\n",
        b"SSH-2.0-x\r\n",
        b"GET\r\n\r\n",
        b"GET /nothing HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",  # no Host
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/hold HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/hold HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/hold HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(path, raw):
    with connect(path) as sock:
        sock.sendall(raw)
        sock.shutdown(socket.SHUT_WR)
        data = ended(sock)
    assert data == b"" or data.startswith(b"HTTP/1.1 4")
    assert answers(path)


def test_a_thousand_random_beginnings(path):
    chance = random.Random(8)
    words = [b"GET ", b"POST ", b"/v1/hold", b"/", b" HTTP/1.1", b"\r\n", b"\n", b"Host: x\r\n",
             b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b":", b"0\r\n\r\n",
             b"{\"route\":", b"\x00", b"\xff\xfe", b"%", b"?a=b&"]  # fmt: skip
    for _ in range(1000):
        raw = b"".join(
            chance.choice(words) if chance.random() < 0.9 else chance.randbytes(9)
            for _ in range(chance.randrange(1, 25))
        )
        with connect(path) as sock:
            sock.sendall(raw)
    until(lambda: answers(path), what="it answers when the crowd has gone")


@pytest.mark.parametrize("head", [b"X: " + b"a" * (4 * HEAD_LIMIT), b"a: b\r\n" * HEAD_LIMIT])
def test_a_huge_head_is_refused(path, head):
    with connect(path) as sock:
        try:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + head)
        except (BrokenPipeError, ConnectionResetError):
            pass
        else:
            data = ended(sock)
            assert data == b"" or data.startswith(b"HTTP/1.1 400")
    assert answers(path)


def test_a_huge_path_leads_nowhere(path):
    raw = b"GET /" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    assert exchange(path, raw).status in (400, 404)  # as it comes in pieces, or at once
    assert answers(path)


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HTTP/1.1\r\nHost:", b"GET /hea"])
def test_a_head_that_does_not_come_is_not_waited_for(serve, tmp_path, monkeypatch, begun):
    monkeypatch.setattr(door, "HEAD_TIME", 0.2)
    path = tmp_path / "admin.sock"
    serve(path)
    with connect(path) as sock:
        sock.sendall(begun)
        began = time.monotonic()
        assert ended(sock) == b""
        assert time.monotonic() - began < 2
    assert answers(path)


def test_a_second_head_that_does_not_come_is_not_waited_for_either(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(door, "HEAD_TIME", 0.2)
    path = tmp_path / "admin.sock"
    serve(path)
    with connect(path) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /hea")
        assert ended(sock).startswith(b"HTTP/1.1 200")
    assert answers(path)


def test_an_answer_that_takes_longer_than_a_head_may_is_given(
    serve, tmp_path, monkeypatch, looping, reconciler
):
    monkeypatch.setattr(door, "HEAD_TIME", 0.1)
    path = tmp_path / "admin.sock"
    serve(path)
    with connect(path) as sock:
        sock.sendall(b"GET /v1/events?follow=true HTTP/1.0\r\n\r\n")
        assert sock.recv(15) == b"HTTP/1.1 200 OK"
        sock.settimeout(0.5)
        with pytest.raises(TimeoutError):  # open, and silent, for much longer
            while sock.recv(1000):
                pass
        looping.do(reconciler.start())
        sock.settimeout(5)
        assert b"route_started" in sock.recv(65536)


@pytest.mark.parametrize("length", [b"Content-Length: 17", b"Transfer-Encoding: chunked"])
def test_a_body_that_does_not_come_is_not_waited_for(path, monkeypatch, length):
    monkeypatch.setattr("ambassador.admin.web.BODY_TIME", 0.2)
    head = b"POST /v1/hold HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + length
    with connect(path) as sock:
        sock.sendall(head + b"\r\n\r\n")
        data = ended(sock)
    assert data.startswith(b"HTTP/1.1 408")
    assert b'"kind":"slow"' in data
    assert answers(path)


def test_a_body_that_breaks_off_is_forgotten(path):
    for _ in range(50):
        with connect(path) as sock:
            sock.sendall(b"POST /v1/hold HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert answers(path)


def test_a_body_in_chunks_is_one(path):
    raw = (
        b"POST /v1/hold HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b'Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n9\r\n"route":1\r\n1\r\n}\r\n0\r\n\r\n'
    )
    assert exchange(path, raw, "POST").json["problems"][0]["where"] == "route"


def test_requests_in_a_row_are_answered_in_their_order(path):
    urls = [b"/healthz", b"/readyz", b"/nothing", b"/healthz"] * 10
    with connect(path) as sock:
        sock.sendall(b"".join(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % url for url in urls))
        sock.shutdown(socket.SHUT_WR)
        data = ended(sock)
    codes = [int(part[:3]) for part in data.split(b"HTTP/1.1 ")[1:]]
    assert codes == [200, 503, 404, 200] * 10


def test_followers_leave_room_for_those_who_ask_something_else(path):
    crowd = [connect(path) for _ in range(FOLLOWERS + 1)]
    try:
        for sock in crowd:
            sock.sendall(b"GET /v1/events?follow=true HTTP/1.1\r\nHost: x\r\n\r\n")
            code = b"429" if sock is crowd[-1] else b"200"
            assert sock.recv(100).startswith(b"HTTP/1.1 " + code)
        assert answers(path)
        assert request(path, "/v1/status").status == 200
    finally:
        for sock in crowd:
            sock.close()
    until(lambda: request(path, "/v1/events").status == 200)


BEGUN = {
    "idle": b"",
    "slow head": b"POST /v1/hold HTTP/1.1\r\nHost:",
    "slow body": b"POST /v1/hold HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 17\r\n\r\n{",
    "after an answer": b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("begun", BEGUN.values(), ids=BEGUN)
def test_300_slow_clients_shut_nobody_out(path, begun):
    crowd = []
    try:
        for _ in range(300):
            crowd.append(connect(path))
            crowd[-1].sendall(begun)
        assert answers(path)
        assert request(path, "/v1/status").status == 200
        most = shares(resource.getrlimit(resource.RLIMIT_NOFILE)[0]).connections
        until(lambda: sum(has_ended(sock) for sock in crowd) >= 300 - most)
        assert not has_ended(crowd[-1])  # the oldest leave first
    finally:
        for sock in crowd:
            sock.close()


def has_ended(sock):
    """Tell whether the other end has closed; what it said before is read."""
    sock.setblocking(False)
    try:
        while sock.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    return True
