"""The page beside the API, on the admin socket and over TCP."""

import json
import socket

import pytest

from ambassador.admin.page import is_foreign
from tests.unit.admin.web import request


@pytest.fixture
def path(serve, looping, reconciler, tmp_path):
    looping.do(reconciler.start())
    serve(tmp_path / "a.sock")
    return tmp_path / "a.sock"


def test_it_is_served_with_its_policy(path):
    answer = request(path, "/")
    assert answer.status == 200
    assert b"<title>Ambassador</title>" in answer.body
    assert b"%KEY%" not in answer.body
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert request(path, "/page/main.js").headers["content-type"].startswith("text/javascript")
    assert request(path, "/page/nothing.js").status == 404


def test_a_file_that_is_the_same_is_not_sent_again(path):
    tag = request(path, "/page/main.js").headers["etag"]
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        head = f"GET /page/main.js HTTP/1.1\r\nHost: x\r\nIf-None-Match: {tag}\r\n\r\n"
        sock.sendall(head.encode())
        assert sock.recv(100).startswith(b"HTTP/1.1 304")


def test_a_look_has_all_and_the_next_one_what_has_changed(path):
    first = request(path, "/v1/look").json
    assert first["whole"] is True
    assert [one["name"] for one in first["routes"]] == ["redis"]
    assert first["program"]["phase"] == "ready"
    assert first["program"]["routes"] == []
    again = request(path, f"/v1/look?since={first['number']}").json
    assert (again["whole"], again["routes"], again["gone"]) == (False, [], [])
    assert request(path, "/v1/look?since=x").status == 422
    assert request(path, "/v1/look?sinc=1").status == 422


def test_numbers_of_a_route(path):
    found = request(path, "/v1/numbers?route=redis").json
    assert (found["route"], found["opened"], found["refused"]) == ("redis", 0, 0)
    assert request(path, "/v1/numbers?route=redsi").status == 404
    assert request(path, "/v1/numbers").status == 422


def scope(path="/v1/status", method="GET", **headers):
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"path": path, "method": method, "headers": named}


@pytest.mark.parametrize(
    ("asked", "foreign"),
    [
        (scope(host="-"), False),  # a program: curl says so
        (scope(host="evil.example"), False),
        (scope(host="localhost:9", sec_fetch_site="same-origin"), False),
        (scope(host="127.0.0.1:9", origin="http://127.0.0.1:9"), False),
        (scope(host="[::1]:9", sec_fetch_site="none"), False),
        (scope(host="localhost:9", origin="http://evil.example"), True),
        (scope(host="localhost:9", origin="null"), True),
        (scope(host="localhost:9", sec_fetch_site="cross-site"), True),
        (scope("/", host="localhost:9", sec_fetch_site="cross-site"), False),  # a link
        (scope("/", host="evil.example", sec_fetch_site="none"), True),  # DNS rebinding
        (scope(host="evil.example", sec_fetch_site="same-origin"), True),
    ],
)
def test_pages_of_others_are_told_apart(asked, foreign):
    assert is_foreign(asked) is foreign


def test_they_are_not_answered(path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(
            b"POST /v1/reload HTTP/1.1\r\nHost: localhost:9\r\nOrigin: http://evil\r\n"
            b"Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 403")
    message = json.loads(answer.partition(b"\r\n\r\n")[2])["message"]
    assert message.startswith("the request comes from a page of another origin")
