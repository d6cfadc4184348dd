"""The page as README and docs/page.md show it: `./dev pages` writes these pictures."""

from __future__ import annotations

import os
import socket
import struct
import threading
import zlib
from contextlib import suppress
from pathlib import Path

import pytest

from ambassador.admin import client
from ambassador.core.commands import Drain, Hold, Move
from tests.ports import free_port
from tests.relay.echo import Echo
from tests.wait import until

ROOT = Path(__file__).parents[2]
LARGEST = 200_000  # bytes of one picture


@pytest.fixture
def shop(start, link, browser):
    """Show a shop: traffic of different amounts, one route held, one in trouble."""
    ends = threading.Event()
    listening = [socket.create_server(("127.0.0.1", free_port())) for _ in range(4)]
    echoes = [Echo(one) for one in listening]
    where = [f"tcp://127.0.0.1:{echo.port}" for echo in echoes]
    ports = {name: free_port() for name in ("REDIS", "DB", "MAIL", "QUEUE", "WEB")}
    admin = start(
        f"REDIS_PORT_{ports['REDIS']}_TCP={where[0]}",
        f"REDIS_PORT_{ports['REDIS']}_TCP_HEALTH=tcp",
        f"DB_PORT_{ports['DB']}_TCP={where[1]},{where[2]}",
        f"DB_PORT_{ports['DB']}_TCP_HEALTH=tcp",
        f"MAIL_PORT_{ports['MAIL']}_TCP={where[3]}",
        f"QUEUE_PORT_{ports['QUEUE']}_TCP={where[1]},tcp://127.0.0.1:1?backup",
        f"WEB_PORT_{ports['WEB']}_TCP=tcp://127.0.0.1:1",
        f"WEB_PORT_{ports['WEB']}_TCP_HEALTH=tcp",
        f"WEB_PORT_{ports['WEB']}_TCP_INTERVAL=200ms",
        AMBASSADOR_NAME="shop",
    )
    client.ask(admin, Move("redis", (where[3],)))
    client.ask(admin, Move("redis", (where[0],)))
    client.ask(admin, Drain("queue", where[1]))
    client.ask(admin, Hold("mail"))

    def talk(port: int, amount: int) -> None:
        while not ends.is_set():
            # what is drained meanwhile resets it
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as sock:
                for _ in range(20):
                    sock.sendall(bytes(amount))
                    sock.recv(amount, socket.MSG_WAITALL)
                    ends.wait(0.02)

    amounts = (("REDIS", 20000), ("REDIS", 3000), ("DB", 1500), ("DB", 400))
    talking = [threading.Thread(target=talk, args=(ports[n], a)) for n, a in amounts]
    waiting = [socket.create_connection(("127.0.0.1", ports["MAIL"]), 5) for _ in range(5)]
    for one in talking:
        one.start()
    browser.open(link(admin))
    browser.see("unhealthy", ".ends-of")
    browser.see("5 wait", ".clients")
    yield
    ends.set()
    for one in talking:
        one.join()
    for sock in (*waiting, *listening):
        sock.close()
    for echo in echoes:
        echo.close()


def picture(browser, name, folder):
    """Write what is seen, and return how many of its rows differ: of a blank page one."""
    data = browser.driver.get_screenshot_as_png()
    assert len(data) < LARGEST
    (folder / f"{name}.png").write_bytes(data)
    return len({zlib.crc32(row) for row in rows_of(data)})


def rows_of(data):
    """Yield the rows of a PNG, filtered as they are (PNG specification, section 9)."""
    width, packed, place = 0, b"", 8
    while place < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"IHDR":
            width = struct.unpack_from(">I", data, place + 8)[0]
            depth = 3 if data[place + 17] == 2 else 4
        elif kind == b"IDAT":
            packed += data[place + 8 : place + 8 + length]
        place += 12 + length
    raw, step = zlib.decompress(packed), 1 + width * depth
    for first in range(0, len(raw), step):
        yield raw[first : first + step]


def test_the_pictures_of_the_page(shop, browser, tmp_path):
    folder = ROOT / os.environ["PICTURES"] if os.environ.get("PICTURES") else tmp_path
    browser.shape(1280, 560)
    browser.click("#sort option", "bytes a second")
    for _ in range(3):  # so many looks, that plots have some points
        until_changed(browser, browser.text("#program"))
    assert picture(browser, "page", folder) > 50
    browser.shape(1280, 860, dark=True)
    browser.click("[data-route=redis]")
    browser.see("undo takes it back", ".changes")
    until_changed(browser, browser.text("#program"))
    assert picture(browser, "page-route", folder) > 50
    browser.click("[data-route=redis]")
    browser.shape(390, 760, phone=True)
    browser.see("5 wait", ".clients")
    assert picture(browser, "page-phone", folder) > 50


def until_changed(browser, before):
    until(lambda: browser.text("#program") not in ("", before), 30)
