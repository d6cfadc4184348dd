"""The picture of the README that moves: `./dev pages` writes it, from the page itself."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ambassador.admin import client
from ambassador.core.commands import Hold, Move, Release
from ambassador.errors import AmbassadorError
from tests.page.film import Film
from tests.relay.echo import Echo

ROOT = Path(__file__).parents[2]
LARGEST = 300_000
SHAPE = (900, 372)
HERE, OLD, NEW, OTHER = "127.0.1.1", "127.0.1.52", "127.0.1.53", "127.0.1.70"

# Says below the picture what the operator types.
CAPTION = """
let place = document.getElementById("caption");
if (!place) {
  place = document.createElement("pre");
  place.id = "caption";
  Object.assign(place.style, {position: "fixed", left: 0, right: 0, bottom: 0, margin: 0, zIndex: 9,
    padding: "10px 16px", background: "#14202e", color: "#e6edf3", font: "15px monospace"});
  document.body.append(place);
}
place.textContent = arguments[0];
"""
LOOK = "document.dispatchEvent(new Event('visibilitychange'))"  # now, and not in three seconds


@pytest.fixture
def shop(start):
    """Show two routes with clients that come and go."""
    ends, sockets = threading.Event(), []
    for address, port in ((OLD, 6379), (NEW, 6379), (OTHER, 80)):
        sockets.append(socket.create_server((address, port)))
    echoes = [Echo(one) for one in sockets]
    admin = start(
        f"REDIS_PORT_6379_TCP=tcp://{OLD}:6379",
        f"REDIS_PORT_6379_TCP_LISTEN={HERE}:6379",
        "REDIS_PORT_6379_TCP_HEALTH=tcp",
        f"WEB_PORT_8080_TCP=tcp://{OTHER}:80",
        f"WEB_PORT_8080_TCP_LISTEN={HERE}:8080",
        "WEB_PORT_8080_TCP_HEALTH=tcp",
        AMBASSADOR_NAME="shop",
    )
    failed: list[OSError] = []

    def talk(port: int, amount: int) -> None:
        while not ends.is_set():
            try:
                with socket.create_connection((HERE, port), 10) as sock:
                    for _ in range(10):
                        sock.sendall(bytes(amount))
                        sock.recv(amount, socket.MSG_WAITALL)
                        ends.wait(0.02)
            except OSError as error:
                failed.append(error)
                return

    talking = [threading.Thread(target=talk, args=(6379, 9000)) for _ in range(6)]
    talking += [threading.Thread(target=talk, args=(8080, 2000)) for _ in range(3)]
    for one in talking:
        one.start()
    yield admin, failed
    with suppress(AmbassadorError):
        client.ask(admin, Release("redis"))
    ends.set()
    for one in talking:
        one.join()
    for echo in echoes:
        echo.close()
    for sock in sockets:
        sock.close()


def test_the_film_shows_clients_that_wait_while_their_service_moves(shop, link, browser, tmp_path):
    admin, failed = shop
    pace = 1.0 if os.environ.get("PICTURES") else 0.2
    folder = ROOT / os.environ["PICTURES"] if os.environ.get("PICTURES") else tmp_path
    film = Film(browser)

    def scene(caption: str, command: Any, seconds: float) -> None:
        browser.driver.execute_script(CAPTION, f"$ {caption}")
        if command is not None:
            film.record(0.5 * pace)  # one reads it
            client.ask(admin, command)
        film.record(0.7 * pace)
        browser.run(LOOK)
        film.record(seconds * pace)

    browser.shape(*SHAPE)
    browser.open(link(admin))
    browser.see("6\nopen", ".clients")
    browser.see("MiB", "#totals")
    scene("", None, 1.2)
    scene("ambassador hold redis", Hold("redis"), 2.0)
    browser.see("6 wait", ".clients")
    scene(f"ambassador move redis tcp://{NEW}:6379", Move("redis", (f"tcp://{NEW}:6379",)), 1.5)
    scene("ambassador release redis", Release("redis"), 3.5)
    browser.see("MiB", "[data-route=redis]")
    assert NEW in browser.text(".ends-of")
    assert failed == []

    film.write(folder / "page.gif")
    assert (folder / "page.gif").stat().st_size < LARGEST
    with Image.open(folder / "page.gif") as written:
        assert written.size == SHAPE
        assert written.n_frames > 4
