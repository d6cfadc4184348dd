"""3,000 routes and 5,000 sessions: only what is seen is drawn, and it is found."""

import resource
import socket
import time
from contextlib import ExitStack

import pytest

from tests.ports import free_port
from tests.relay.echo import Echo

ROUTES, SESSIONS = 3000, 5000


@pytest.fixture
def many(start, tmp_path):
    """Serve 3,000 routes at paths, and one with 5,000 sessions; return the admin socket."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < 3 * SESSIONS:
        pytest.fail(f"{hard} descriptors are too few for {SESSIONS} sessions")
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        listening = stack.enter_context(
            socket.create_server(("127.0.0.1", free_port()), backlog=1024)
        )
        echo = Echo(listening)
        stack.callback(echo.close)
        config, busy = tmp_path / "many.toml", tmp_path / "busy.sock"
        endpoint = f'endpoints = ["tcp://127.0.0.1:{echo.port}"]'
        config.write_text(
            f'[route.busy]\nlisten = "unix://{busy}"\n{endpoint}\n'
            + "".join(
                f'[route.r{number}]\nlisten = "unix://{tmp_path}/{number}"\n{endpoint}\n'
                for number in range(ROUTES - 1)
            )
        )
        admin = start(AMBASSADOR_CONFIG=str(config), AMBASSADOR_WORKERS="0")
        for number in range(SESSIONS):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.settimeout(20)
            sock.connect(str(busy))
            if number % 100 == 99:  # not faster than it accepts
                sock.sendall(b"x")
                assert sock.recv(1) == b"x"
        yield admin


@pytest.mark.timeout(180)
def test_they_stay_usable(many, link, browser):
    browser.open(link(many))
    browser.see(f"{ROUTES} routes", "#count", within=60)
    assert len(browser.all(".route")) < 40
    browser.run("document.getElementById('scroll').scrollTop = 1e7")
    browser.see(f"r{ROUTES - 2}", ".card")
    assert len(browser.all(".route")) < 40
    began = time.monotonic()
    browser.type("#search", "r1234")
    browser.see(f"1 of {ROUTES} routes", "#count")
    assert "r1234" in browser.text(".card")
    assert time.monotonic() - began < 20  # under load; 0.2 s alone
    browser.type("#search", "busy")
    browser.click("[data-route=busy]")
    browser.see("5000 of 5000", ".panel h3", within=60)
    assert len(browser.all(".table .row")) < 40
    oldest = browser.text(".table .row:first-child .mono")
    browser.click(".table .head button", "Age")  # the youngest first
    assert browser.text(".table .row:first-child .mono") != oldest
    ident = browser.text(".table .row:first-child .mono")
    browser.type(".filter input", ident)
    browser.see(" of 5000", ".panel h3")
    assert ident in browser.text(".table .rows")
