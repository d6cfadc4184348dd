"""The API as anybody may speak to it over the admin socket of a real reconciler."""

import json
import os
import threading

import pytest

from ambassador import __version__, log
from ambassador.admin.operations import OPERATIONS
from ambassador.admin.web import BODY_LIMIT
from tests.unit.admin.web import connect, request
from tests.wait import until


@pytest.fixture
def api(serve, tmp_path, looping, reconciler):
    """Answer at the returned path for one route, `redis`, that is carried."""
    looping.do(reconciler.start())
    path = tmp_path / "admin.sock"
    serve(path)
    return path


def test_what_is(api):
    view = request(api, "/v1/status").json
    assert (view["phase"], view["version"], view["pid"]) == ("ready", __version__, os.getpid())
    assert [route["name"] for route in view["routes"]] == ["redis"]
    assert request(api, "/v1/status?route=redis").json["routes"] == view["routes"]
    assert request(api, "/v1/sessions?limit=5").json == {"sessions": [], "total": 0}


def test_a_command_is_done_and_who_asked_is_kept(api):
    done = request(api, "/v1/hold", "POST", {"route": "redis", "timeout": 5, "limit": 3})
    assert done.status == 200
    assert done.json == {"message": "redis held", "routes": ["redis"], "sessions": 0}
    (route,) = request(api, "/v1/status").json["routes"]
    assert route["hold"] == {"waiting": 0, "limit": 3, "timeout": 5.0}
    assert route["changed"]["who"] == f"uid {os.geteuid()} on the admin socket"
    assert request(api, "/v1/release", "POST", {"route": "redis"}).status == 200
    assert request(api, "/v1/reload", "POST").status == 200  # no field: no body is needed


@pytest.mark.parametrize(
    ("verb", "body", "status", "kind", "where"),
    [
        ("release", {"route": "redsi"}, 404, "not_found", "route"),
        ("release", {"route": "redis"}, 409, "conflict", "route"),
        ("hold", {"route": "redis", "timeout": -1}, 422, "wrong", "timeout"),
        ("hold", {}, 422, "wrong", "route"),
        ("hold", {"route": "redis", "max": 1}, 422, "wrong", "max"),
        ("hold", [], 422, "wrong", "body"),
        ("hold", "redis", 422, "wrong", "body"),
        ("move", {"route": "redis", "endpoints": [1]}, 422, "wrong", "endpoints[0]"),
        ("move", {"route": "redis", "endpoints": ["ftp://a:1"]}, 422, "wrong", "endpoints"),
    ],
)
def test_what_cannot_be_is_told_with_its_place_and_changes_nothing(
    api, verb, body, status, kind, where
):
    before = request(api, "/v1/status").json["routes"]
    answer = request(api, f"/v1/{verb}", "POST", body)
    assert answer.status == status
    told = answer.json
    assert told["kind"] == kind
    assert [problem["where"] for problem in told["problems"]] == [where]
    assert told["message"].startswith(f"{where}: ")
    assert request(api, "/v1/status").json["routes"] == before


def test_the_nearest_name_is_told(api):
    answer = request(api, "/v1/status?route=redsi")
    assert (answer.status, answer.json["kind"]) == (404, "not_found")
    assert 'did you mean "redis"?' in answer.json["message"]


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.verb)
def test_another_method_is_refused_everywhere(api, row):
    other = "GET" if row.method == "POST" else "POST"
    answer = request(api, row.path, other)
    assert (answer.status, answer.json["kind"]) == (405, "method")
    assert row.method in answer.headers["allow"]


@pytest.mark.parametrize(
    ("url", "method", "body", "headers", "status", "kind"),
    [
        ("/nothing", "GET", None, {}, 404, "path"),
        ("/v1/status/", "GET", None, {}, 404, "path"),
        ("/v1/%00", "GET", None, {}, 404, "path"),
        ("/v1/status?a=b", "GET", None, {}, 422, "wrong"),
        ("/v1/sessions?limit=0", "GET", None, {}, 422, "wrong"),
        ("/v1/events?after=x", "GET", None, {}, 422, "wrong"),
        ("/v1/hold?route=redis", "POST", {"route": "redis"}, {}, 400, "malformed"),
        ("/v1/hold", "POST", b"{", {}, 400, "malformed"),
        ("/v1/hold", "POST", b"\xff\xfe", {}, 400, "malformed"),
        ("/v1/hold", "POST", b"[" * 50_000, {}, 400, "malformed"),
        ("/v1/hold", "POST", b'{"route":"a","route":"b"}', {}, 400, "malformed"),
        ("/v1/hold", "POST", {}, {"Content_Type": "text/plain"}, 415, "media_type"),
        ("/v1/hold", "POST", b" " * (BODY_LIMIT + 1), {}, 413, "too_large"),
        ("/v1/hold", "POST", b" " * (2 << 20), {}, 413, "too_large"),
    ],
)
def test_bad_manners(api, url, method, body, headers, status, kind):
    answer = request(api, url, method, body, **headers)
    assert (answer.status, answer.json["kind"]) == (status, kind)
    assert answer.json["message"]


def test_a_body_that_may_just_be(api):
    body = b'{"route":"redis"}'.rjust(BODY_LIMIT)
    assert request(api, "/v1/hold", "POST", body).status == 200


def test_a_character_that_is_none_is_told_and_not_a_bug(api):
    answer = request(api, "/v1/hold", "POST", b'{"route":"\\ud800"}')
    assert (answer.status, answer.json["kind"]) == (422, "wrong")
    answer = request(api, "/v1/hold", "POST", b'{"\\ud800":1,"route":"redis"}')
    assert (answer.status, answer.json["kind"]) == (422, "wrong")


def test_a_bug_is_told_without_its_words_and_logged(api, reconciler, monkeypatch):
    heard = []
    unfollow = log.follow(lambda level, name, message, fields: heard.append((name, fields)))

    def broken(*_arguments, **_named):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(reconciler, "execute", broken)
    answer = request(api, "/v1/status")
    unfollow()
    assert (answer.status, answer.json["kind"]) == (500, "bug")
    assert b"secret" not in answer.body
    ((name, fields),) = heard
    assert name == "bug"
    assert "ZeroDivisionError" in fields["traced"]


def test_a_client_that_leaves_in_mid_body_is_no_bug(api):
    heard = []
    unfollow = log.follow(lambda level, name, message, fields: heard.append(name))
    sock = connect(api)
    sock.sendall(
        b"POST /v1/hold HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b'Content-Length: 100\r\n\r\n{"route":'
    )
    sock.close()
    for _ in range(3):  # what came first has been seen to
        assert request(api, "/v1/status").status == 200
    unfollow()
    assert heard == []


def test_the_events_that_are_known(api):
    lines = request(api, "/v1/events").body.splitlines()
    events = [json.loads(line) for line in lines]
    assert [one["event"] for one in events] == ["route_started"]
    assert events[0]["number"] == 1
    assert events[0]["fields"]["route"] == "redis"
    assert request(api, "/v1/events?after=1").body == b""


def test_events_are_followed_until_the_end(api, looping, reconciler):
    lines = []

    def follow():
        with connect(api) as sock, sock.makefile("rb") as answer:
            sock.sendall(b"GET /v1/events?follow=true&after=1 HTTP/1.0\r\n\r\n")
            lines.extend(answer)

    thread = threading.Thread(target=follow)
    thread.start()
    until(lambda: lines, what="the answer has begun")
    request(api, "/v1/hold", "POST", {"route": "redis"})
    until(lambda: b"redis held" in b"".join(lines), what="the event is told at once")
    assert thread.is_alive()
    looping.call(reconciler.events.close)
    thread.join(5)
    assert not thread.is_alive()
    assert next(json.loads(line)["number"] for line in lines if line.startswith(b"{")) == 2


def test_who_follows_and_leaves_is_forgotten(api, looping):
    for _ in range(200):  # more than connections that are answered at once
        with connect(api) as sock:
            sock.sendall(b"GET /v1/events?follow=true HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(100).startswith(b"HTTP/1.1 200")
    assert request(api, "/v1/status").status == 200


def test_the_document_is_served(api):
    page = request(api, "/openapi.json").json
    assert set(page["paths"]) >= {row.path for row in OPERATIONS}
    assert "/metrics" not in page["paths"]
    assert request(api, "/metrics").status == 404
