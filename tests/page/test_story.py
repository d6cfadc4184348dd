"""What an operator does on the page: looks, moves, takes back, holds, cuts."""

import socket

import pytest

from ambassador.admin import client
from ambassador.core.commands import Hold, Move, Sessions, Status
from tests.ports import free_port
from tests.relay.echo import Echo
from tests.wait import until


@pytest.fixture
def echoes():
    listening = [socket.create_server(("127.0.0.1", free_port())) for _ in range(2)]
    echoes = [Echo(one) for one in listening]
    yield echoes
    for echo, one in zip(echoes, listening, strict=True):
        echo.close()
        one.close()


@pytest.fixture
def told(start, link, echoes, browser):
    """Show the page of a route `db` at the first of two endpoints."""

    class Told:
        port = free_port()
        first, second = (f"127.0.0.1:{echo.port}" for echo in echoes)

        def __init__(self):
            self.admin = start(f"DB_PORT_{self.port}_TCP=tcp://{self.first}")
            browser.open(link(self.admin))
            browser.see("live", "#link")

        def session(self):
            sock = socket.create_connection(("127.0.0.1", self.port), 5)
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
            return sock

        def route(self):
            return client.ask(self.admin, Status("db")).routes[0]

    return Told()


def asks_to_move(browser, where):
    browser.click("[data-does=move]")
    browser.see("Move db", "dialog h2")
    browser.type("dialog textarea", where)


def test_a_move_is_seen_before_and_after_and_taken_back(told, browser):
    with told.session():
        browser.click("[data-route=db]")
        browser.see("1 open", ".facts-of")
        asks_to_move(browser, f"tcp://{told.second}")
        browser.click("dialog button", "See what would happen")
        said = browser.see("nothing has changed", "dialog .told")
        assert f"db would move to {told.second}; nothing has changed" in said
        assert f"{told.second} answers" in said
        assert f"1 session at {told.first} goes on there (existing: keep)" in said
        assert "plane relay for new sessions" in said
        assert told.route().endpoints[0].endpoint == f"tcp://{told.first}"
        browser.click("dialog button", "Move now")
        browser.see(f"db moved to {told.second}", "#notices")
        assert told.route().endpoints[0].endpoint == f"tcp://{told.second}"
        browser.see(told.second, ".ends-of")
        browser.see(f"1 session at {told.first}, which has left the route", ".facts-of")
        browser.see("undo takes it back", ".changes")
        browser.click("[data-does=undo]")
        assert f"db moved to {told.second}" in browser.see("Change 1", "dialog")
        assert "1 session open" in browser.text("dialog .touches")
        browser.click("dialog button.main", "Take it back")
        browser.see("taken back", "#notices")
        until(lambda: told.route().endpoints[0].endpoint == f"tcp://{told.first}", 10)
        browser.see(told.first, ".ends-of")
        browser.see("undone", ".changes")


def test_an_endpoint_that_does_not_answer_is_told_with_its_hint(told, browser):
    browser.click("[data-route=db]")
    asks_to_move(browser, "tcp://127.0.0.1:1")
    browser.click("dialog button", "Move now")
    browser.see("does not answer", "dialog .fault")
    browser.type("dialog textarea", "ftp://x")
    browser.click("dialog button", "Move now")
    said = browser.see("example: ", "dialog .fault")
    assert "expected: " in said
    browser.click("dialog button", "Cancel")
    assert browser.all("dialog") == []
    assert told.route().differs == ""


def test_of_two_tabs_that_move_one_route_the_second_is_told(told, browser, link):
    browser.click("[data-route=db]")
    asks_to_move(browser, "tcp://127.0.0.1:1")
    before = browser.tab(link(told.admin))
    browser.click("[data-route=db]")
    asks_to_move(browser, f"tcp://{told.second}")
    browser.click("dialog button", "Move now")
    browser.see(f"db moved to {told.second}", "#notices")
    browser.back_to(before)
    browser.click("dialog button", "Move now")
    said = browser.see("is not where db leads any longer", "dialog .fault")
    assert f"it leads to {told.second} now, db moved to {told.second} by uid 0" in said


def test_clients_that_wait_are_seen_and_let_go(told, browser):
    client.ask(told.admin, Hold("db"))
    with socket.create_connection(("127.0.0.1", told.port), 5) as waits:
        browser.see("1 wait", ".clients")
        browser.see("held", ".card")
        waits.sendall(b"x")
        browser.click("[data-route=db]")
        browser.click("[data-does=release]")
        assert waits.recv(1) == b"x"
        browser.see("db released", "#notices")


def test_a_cut_says_how_many_it_touches_and_one_session_can_be_cut(told, browser):
    with told.session() as one, told.session() as other:
        browser.click("[data-route=db]")
        browser.see("2 of 2", ".panel h3")
        ident = client.ask(told.admin, Sessions("db")).sessions[0].id
        browser.click(f"[data-session='{ident}']")
        assert "1 session, of 127.0.0.1:" in browser.see("will be ended", "dialog .touches")
        browser.click("dialog button.main", "Cut")
        until(lambda: client.ask(told.admin, Sessions("db")).total == 1, 10)
        browser.click(".verbs [data-does=cut]")
        assert browser.see("will be ended", "dialog .touches").startswith("1 session ")
        browser.click("dialog button.main", "Cut")
        browser.see("1 session cut", "#notices")
        for sock in (one, other):
            with pytest.raises(ConnectionResetError):
                sock.recv(1)


def test_keys_alone_are_enough(told, browser):
    keys = browser.driver.switch_to
    browser.run(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '/', bubbles: true}))"
    )
    assert keys.active_element.get_attribute("id") == "search"
    keys.active_element.send_keys("db\t")
    browser.run("document.querySelector('[data-route=db]').focus()")
    keys.active_element.send_keys("\n")
    browser.see("The last ten minutes", ".panel")
    keys.active_element.send_keys("\ue00c")  # Escape
    until(lambda: browser.text(".panel") == "", 10)
    assert keys.active_element.get_attribute("data-route") == "db"


def test_what_changes_elsewhere_is_seen_and_found(told, browser):
    assert client.ask(told.admin, Move("db", (f"tcp://{told.second}",)))
    browser.see("changed", ".card")
    browser.click("#chips button", "Changed")
    browser.see("1 routes", "#count")
    browser.click("#chips button", "Trouble")
    browser.see("No route matches.", ".stage")
    browser.click("#events")
    browser.see(f"db moved to {told.second}", "#log")
