"""What files and name servers say."""

from __future__ import annotations

import time

from ambassador.core.commands import Reload
from tests.scenario.gap.scene import NAMES, NET, Scene


def reloads(scene: Scene) -> None:
    """The file is read again and again, and says what it said."""
    with scene.watched():
        for _ in range(5):
            scene.ask(Reload())


def all_replaced(scene: Scene) -> None:
    """Every route of the file has another endpoint, and then the former again."""
    with scene.watched():
        for host in ("127.0.0.2", "127.0.0.3"):
            scene.write(scene.plain(host=host))
            scene.ask(Reload())


def all_come_and_go(scene: Scene) -> None:
    """All routes of the file go with it, and come back."""
    with scene.watched():
        for count in (0, None):
            scene.write(scene.plain(count))
            scene.ask(Reload())


def in_pieces(scene: Scene) -> None:
    """A file that is written in pieces, and looked at meanwhile."""
    text = scene.plain(host="127.0.0.2")
    with scene.watched():
        with scene.config.open("w") as file:
            for first in range(0, len(text), len(text) // 8):
                file.write(text[first : first + len(text) // 8])
                file.flush()
                time.sleep(0.15)
        time.sleep(0.5)
        scene.write(scene.plain())
        scene.ask(Reload())


def wrong_file(scene: Scene) -> None:
    """A file that makes no sense, in thousands of places."""
    with scene.watched():
        for text in ("[route.x]\nlisten = 5\n" * 3000, "?" * 300_000, "[" * 100_000,
                     "".join(f"[route.w{n}]\nendpoint = 1\n" for n in range(3000))):  # fmt: skip
            scene.config.write_text(text)
            scene.ask(Reload())
    scene.write(scene.plain())
    scene.ask(Reload())


def hosts_file(scene: Scene) -> None:
    """A block list, written anew while names are looked for in it."""
    scene.write(scene.plain() + _named(scene, 10, "svc{}"))
    scene.ask(Reload())
    with scene.watched():
        for address in ("127.0.0.1", "127.0.0.2"):
            lines = [f"0.0.0.0 ads{number}.tracker.example\n" for number in range(150_000)]
            lines += [f"{address} svc{number}\n" for number in range(10)]
            scene.hosts.write_text("".join(lines))
            time.sleep(1.6)  # it is looked at each second
        scene.hosts.write_text("127.0.0.1 localhost\n")
    scene.write(scene.plain())
    scene.ask(Reload())


def names(scene: Scene) -> None:
    """A thousand names whose addresses change, that are gone, not told in time, and garbage."""
    scene.names.address = "127.0.0.1"
    with scene.watched():
        scene.write(scene.plain() + _named(scene, NAMES, "n{}.gap.test"))
        scene.ask(Reload())
        time.sleep(1.5)  # until all have been asked for, and again: they live for a second
        for address, garbage, pause in (("127.0.0.2", False, 0), ("", False, 0), ("", True, 0),
                                        ("127.0.0.1", False, 0.05)):  # fmt: skip
            scene.names.address, scene.names.garbage, scene.names.pause = address, garbage, pause
            time.sleep(1.5)
        scene.write(scene.plain())
        scene.ask(Reload())
    scene.names.pause = 0.0


def _named(scene: Scene, count: int, name: str) -> str:
    return "".join(
        f'[route.n{number}]\nlisten = "{NET}.9.1:{15000 + number}"\n'
        f'endpoints = "tcp://{name.format(number)}:{scene.behind}"\n'
        for number in range(count)
    )
