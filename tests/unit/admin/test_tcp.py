"""HTTP over TCP: the API for those who bear the token, and what monitors read."""

import socket

import pytest

from ambassador.admin.tcp import api_door, monitor_door
from ambassador.errors import RunError
from ambassador.model import Inet
from tests.ports import free_port
from tests.unit.admin.web import request

TOKEN = "0123456789abcdef"


@pytest.fixture
def opened(looping):
    """Open doors; all are closed in the end."""
    doors = []

    def start(make, *arguments):
        doors.append(looping.call(make, *arguments))
        looping.do(doors[-1].start())

    yield start
    for door in doors:
        looping.do(door.stop())


@pytest.fixture
def port(opened, reconciler, looping):
    looping.do(reconciler.start())
    port = free_port()
    opened(api_door, Inet("127.0.0.1", port), reconciler, TOKEN, numbers)
    return port


async def numbers() -> list[bytes]:
    return [b"numbers ", b"1\n"]


PATHS = [
    "/v1/status",
    "/v1/nothing",
    "/openapi.json",
    "/healthz",
    "/readyz",
    "/metrics",
    "/v1/look",
]


@pytest.mark.parametrize("url", PATHS)
@pytest.mark.parametrize(
    "given",
    [
        "",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN.upper()}",
        "Bearer \xe9\xff",
    ],
)
def test_who_does_not_bear_the_token_learns_nothing(port, url, given):
    headers = {"Authorization": given} if given else {}
    answer = request(port, url, **headers)
    assert (answer.status, answer.json["kind"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in str(answer.headers) + answer.body.decode()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
def test_who_bears_it_is_let_in(port, scheme):
    token = f"{scheme} {TOKEN}"
    assert request(port, "/v1/status", Authorization=token).status == 200
    assert request(port, "/metrics", Authorization=token).body == b"numbers 1\n"
    page = request(port, "/openapi.json", Authorization=token).json
    assert page["security"] == [{"token": []}]
    assert "/metrics" in page["paths"]
    body = {"route": "redis"}
    assert request(port, "/v1/hold", "POST", body, Authorization=token).status == 200
    (route,) = request(port, "/v1/status", Authorization=token).json["routes"]
    assert route["changed"]["who"] == "127.0.0.1 over the API"


def test_two_tokens_are_none(port):
    raw = f"GET /v1/status HTTP/1.1\r\nHost: x\r\n{f'Authorization: Bearer {TOKEN}' * 1}\r\n"
    twice = raw + f"Authorization: Bearer {TOKEN}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(twice.encode())
        assert sock.recv(100).startswith(b"HTTP/1.1 401")


def test_without_a_token_there_is_no_api(looping, reconciler):
    with pytest.raises(ValueError, match="token"):
        looping.call(api_door, Inet("127.0.0.1", free_port()), reconciler, "")


def test_monitors_read_and_cannot_write(opened, reconciler, looping):
    port = free_port()
    opened(monitor_door, Inet("", port), reconciler, numbers)
    assert request(port, "/healthz").body == b"ok\n"
    assert request(port, "/readyz").status == 503
    looping.do(reconciler.start())
    assert request(port, "/readyz").body == b"ready\n"
    told = request(port, "/metrics")
    assert (told.status, told.body) == (200, b"numbers 1\n")
    assert told.headers["content-type"].startswith("text/plain; version=0.0.4")
    for url in ("/v1/status", "/v1/events", "/openapi.json"):
        assert request(port, url).status == 404
    assert request(port, "/v1/hold", "POST", {"route": "redis"}).status == 404
    assert request(port, "/metrics", "POST").status == 405
    with socket.create_connection(("::1", port), 5) as sock:
        sock.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 200")


def test_where_there_are_no_numbers_there_is_no_such_path(opened, reconciler):
    port = free_port()
    opened(monitor_door, Inet("127.0.0.1", port), reconciler)
    assert request(port, "/metrics").status == 404


def test_a_place_that_is_taken_says_so(looping, reconciler):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        why = rf"127\.0\.0\.1:{port}: address already in use; find who has it with: ss -lntp"
        with pytest.raises(RunError, match=f"^metrics on {why}"):
            looping.call(monitor_door, Inet("127.0.0.1", port), reconciler)
        with pytest.raises(RunError, match=f"^API on {why}"):
            looping.call(api_door, Inet("127.0.0.1", port), reconciler, TOKEN)
