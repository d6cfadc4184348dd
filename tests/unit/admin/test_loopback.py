"""The page of an operator's own process: a link that works once, and nobody else gets in."""

import http.client
import json
import threading

import pytest

from ambassador.admin import loopback
from ambassador.admin.loopback import Keys, LoopbackPage


@pytest.fixture
def page(serve, looping, reconciler, tmp_path):
    looping.do(reconciler.start())
    serve(tmp_path / "a.sock")
    page = LoopbackPage(tmp_path / "a.sock")
    thread = threading.Thread(target=page.serve_forever)
    thread.start()
    yield page
    page.shutdown()
    thread.join()
    page.server_close()


def ask(page, path, method="GET", body=None, **headers):
    """Return status and body; what is no header of this host is given."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


def key_of(page):
    status, text = ask(page, "/?" + page.link().partition("?")[2])
    assert status == 200
    return text.partition(b'name="key" content="')[2].partition(b'"')[0].decode()


def test_a_link_gives_a_key_once(page):
    path = "/?" + page.link().partition("?")[2]
    status, text = ask(page, path)
    assert status == 200
    key = text.partition(b'name="key" content="')[2].partition(b'"')[0].decode()
    assert len(key) > 30
    status, text = ask(page, path)
    assert status == 403
    assert b"this link was used already" in text
    assert ask(page, "/v1/status", Authorization=f"Bearer {key}")[0] == 200
    assert ask(page, "/v1/status")[0] == 401
    assert ask(page, "/v1/status", Authorization="Bearer \xfc")[0] == 401


def test_every_tab_has_a_key_of_its_own(page):
    assert key_of(page) != key_of(page)


def test_what_is_asked_is_answered_by_the_ambassador(page):
    key = f"Bearer {key_of(page)}"
    status, text = ask(page, "/v1/hold", "POST", '{"route": "redis"}', Authorization=key)
    assert (status, json.loads(text)["message"]) == (200, "redis held")
    status, text = ask(page, "/v1/hold", "POST", '{"route": "redsi"}', Authorization=key)
    assert status == 404
    assert json.loads(text)["problems"][0]["example"] == "ambassador hold redis"
    assert ask(page, "/elsewhere", Authorization=key)[0] == 404
    assert ask(page, "/page/main.js")[0] == 200
    assert ask(page, "/page/nothing.js")[0] == 404


@pytest.mark.parametrize("path", ["/", "/v1/status"])
def test_under_another_name_it_is_not_answered(page, path):
    status, text = ask(page, path, Host=f"evil.example:{page.port}")
    assert status == 403
    assert b"another host name" in text
    assert ask(page, "/", Host=f"localhost:{page.port}")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_a_page_of_another_origin_is_not_answered(page, headers):
    key = f"Bearer {key_of(page)}"
    status, text = ask(page, "/v1/reload", "POST", "{}", Authorization=key, **headers)
    assert status == 403
    assert b"another origin" in text


def test_an_ambassador_that_is_gone_is_told(page, tmp_path):
    key = f"Bearer {key_of(page)}"
    page.admin = tmp_path / "gone.sock"
    status, text = ask(page, "/v1/status", Authorization=key)
    assert (status, json.loads(text)["kind"]) == (502, "gone")


def test_a_body_that_is_too_large_is_not_read(page):
    status, _ = ask(page, "/v1/move", "POST", None, Content_Length=str(1 << 30))
    assert status == 413


def test_a_link_that_nobody_uses_is_not_good_for_ever():
    keys = Keys()
    old, new = keys.link(0.0), keys.link(100.0)
    assert keys.redeem(old, loopback._GOOD + 1) == ""
    assert keys.redeem("wrong", 101.0) == ""
    key = keys.redeem(new, 101.0)
    assert keys.good(key)
    assert not keys.good(new)
