"""Who is let in, an ambassador that goes and comes back, and one that is older than the page."""

import json
import socket
import threading

import pytest

from ambassador.admin import client, loopback
from ambassador.admin.loopback import LoopbackPage
from tests.ports import free_port
from tests.program import Program, is_ready
from tests.wait import until


def route(port):
    return f"DB_PORT_{port}_TCP=tcp://127.0.0.1:1"


def test_a_link_works_once_and_its_tab_may_be_loaded_again(start, link, browser):
    url = link(start(route(free_port())))
    browser.open(url)
    browser.see("live", "#link")
    assert browser.run("return location.search + location.hash") == ""
    browser.driver.refresh()
    browser.see("live", "#link")
    before = browser.tab(url)
    assert "this link was used already" in browser.text("#why")
    browser.open(url.partition("?")[0])  # a tab without a key
    browser.see("this tab has no key: open the link", "#door-why")
    assert browser.all("#main:not([hidden])") == []
    browser.back_to(before)
    browser.see("live", "#link")


def test_over_tcp_it_asks_for_the_token(start, browser, tmp_path):
    api, token = free_port(), "0123456789abcdef0123"
    (tmp_path / "token").write_text(token)
    start(
        route(free_port()),
        AMBASSADOR_API=f"127.0.0.1:{api}",
        AMBASSADOR_API_TOKEN_FILE=str(tmp_path / "token"),
    )
    browser.open(f"http://127.0.0.1:{api}/")
    browser.see("This ambassador asks for its token", "#door-why")
    browser.type("#token", "a wrong one")
    browser.click("#door button")
    browser.see("That is not the token of this ambassador.", "#door-why")
    browser.type("#token", token)
    browser.click("#door button")
    browser.see("live", "#link")
    browser.see("db", ".card")


def test_one_that_goes_is_told_and_waited_for(start, link, browser, tmp_path):
    port, admin = free_port(), tmp_path / "a.sock"
    browser.open(link(start(route(port), AMBASSADOR_ADMIN=str(admin))))
    browser.see("live", "#link")
    assert start.programs[0].stop() == 0
    browser.see("No answer since", "#banner")
    browser.see("lost", "#link")
    assert "db" in browser.text(".card")  # as it was
    with Program(route(port), AMBASSADOR_ADMIN=str(admin), AMBASSADOR_GRACE="0"):
        until(lambda: is_ready(admin), 30)
        browser.see("live", "#link")
        browser.see("another process answers now", "#notices")
        until(lambda: browser.text("#banner") == "", 10)


@pytest.fixture
def of_another_version(start, monkeypatch):
    """Serve the page for an ambassador whose answers a function changes; give that its link."""
    admin, asked = start(route(free_port())), client.forward
    pages: list[tuple[LoopbackPage, threading.Thread]] = []

    def serve(change):
        def forward(path, method, where, body, when):
            return change(where, *asked(path, method, where, body, when))

        monkeypatch.setattr(loopback.client, "forward", forward)
        page = LoopbackPage(admin)
        thread = threading.Thread(target=page.serve_forever)
        thread.start()
        pages.append((page, thread))
        return page.link()

    yield serve
    for page, thread in pages:
        page.shutdown()
        thread.join()
        page.server_close()


def as_an_older_one(where, status, kind, answer):
    """Answer as one that knows nothing new."""
    if where.startswith(("/v1/look", "/v1/history", "/v1/numbers")):
        missing = {"kind": "path", "message": "there is no such path", "problems": []}
        return 404, "application/json", json.dumps(missing).encode()
    if where.startswith("/v1/status"):
        told = json.loads(answer)
        del told["place"]
        answer = json.dumps(told | {"version": "0.0.9"}).encode()
    return status, kind, answer


def as_a_newer_one(where, status, kind, answer):
    """Answer with more than the page knows: fields, and words of it in places it does know."""
    if where.startswith("/v1/") and "json" in kind:
        told = json.loads(answer)
        newer(told)
        answer = json.dumps(told).encode()
    return status, kind, answer


def newer(told):
    """Put into each object what nobody knows yet, and other words for some that are known."""
    if isinstance(told, list):
        for one in told:
            newer(one)
    elif isinstance(told, dict):
        for one in list(told.values()):
            newer(one)
        told["of_tomorrow"] = {"rate": [1, 2], "why": None}
        for key, word in (("version", "9.9.0"), ("plane", "tunnel"), ("admin", "resting")):
            if key in told:
                told[key] = word


def test_an_ambassador_that_is_newer_than_the_page_is_shown_as_far_as_it_goes(
    of_another_version, browser
):
    browser.open(of_another_version(as_a_newer_one))
    browser.see(
        "the ambassador of 9.9.0: fields that one of them does not know are left out", "#banner"
    )
    browser.click("[data-route=db]")
    browser.see("tunnel", "[data-route=db]")
    browser.see("127.0.0.1", ".card, #panel")
    assert browser.complaints() == []


def test_an_ambassador_that_is_older_than_the_page_is_shown_as_far_as_it_goes(
    of_another_version, browser
):
    browser.open(of_another_version(as_an_older_one))
    browser.see(
        "the ambassador of 0.0.9: fields that one of them does not know are left out", "#banner"
    )
    browser.click("[data-route=db]")
    browser.see("this ambassador keeps no history", ".changes")


def test_nobody_else_listens(start, link):
    url = link(start(route(free_port())))
    port = int(url.rpartition(":")[2].partition("/")[0])
    with pytest.raises(ConnectionRefusedError):  # it has 127.0.0.1 alone
        socket.create_connection(("127.0.0.2", port), 5)
