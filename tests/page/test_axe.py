"""Nothing in the page keeps anybody out, as far as axe can see; and so it is photographed."""

import socket

import pytest

from ambassador.admin import client
from ambassador.core.commands import Drain, Hold, Maint
from tests.ports import free_port


@pytest.fixture
def page(start, link, browser):
    """Show routes in every state there is."""
    ports = [free_port() for _ in range(4)]
    with socket.create_server(("127.0.0.1", free_port())) as there:
        where = f"tcp://127.0.0.1:{there.getsockname()[1]}"
        admin = start(
            f"DB_PORT_{ports[0]}_TCP={where},tcp://127.0.0.1:1,tcp://127.0.0.1:2",
            f"WEB_PORT_{ports[1]}_TCP={where}",
            f"WEB_PORT_{ports[1]}_TCP_HEALTH=tcp",
            f"MAIL_PORT_{ports[2]}_TCP=tcp://127.0.0.1:1",
            f"MAIL_PORT_{ports[2]}_TCP_HEALTH=tcp",
            f"MAIL_PORT_{ports[2]}_TCP_INTERVAL=200ms",
            f"DNS_PORT_{ports[3]}_UDP=udp://127.0.0.1:53",
        )
        client.ask(admin, Drain("db", "tcp://127.0.0.1:1"))
        client.ask(admin, Maint("db", "tcp://127.0.0.1:2"))
        client.ask(admin, Hold("web"))
        browser.open(link(admin))
        browser.see("unhealthy", ".ends-of")
        yield admin


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["laptop", "phone"])
def test_axe_finds_nothing(page, browser, dark, phone):
    browser.shape(390 if phone else 1280, 844, phone=phone, dark=dark)
    browser.click("#events")
    browser.see("ready", "#log")
    assert browser.violations() == []
    browser.click("#events")
    browser.click("[data-route=db]")
    browser.see("in maintenance", ".changes")
    assert browser.violations() == []
    browser.click("[data-does=move]")
    browser.see("Move db", "dialog h2")
    browser.type("dialog textarea", "tcp://127.0.0.1:1")
    browser.click("dialog button", "Move now")
    browser.see("does not answer", "dialog .fault")
    assert browser.violations() == []
