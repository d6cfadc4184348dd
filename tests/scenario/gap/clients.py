"""What clients and endpoints do: five thousand at once."""

from __future__ import annotations

from ambassador.core.commands import Add, Cut, Hold, Move, Release, Remove, Sessions, Status
from tests.scenario.gap.scene import CROWD, Scene
from tests.wait import until


def come_and_go(scene: Scene) -> None:
    """They connect, are looked at, and end."""
    with scene.watched():
        _come(scene)
        scene.ask(Sessions(limit=100_000))
        scene.ask(Status())
        scene.get("/metrics", scene.monitor)
        scene.crowds.do("go", "fin")


def leave_by_reset(scene: Scene) -> None:
    _come(scene)
    with scene.watched():
        scene.crowds.do("go", "rst")


def endpoint_falls(scene: Scene) -> None:
    _come(scene)
    with scene.watched():
        scene.crowds.do("fall")


def cut(scene: Scene) -> None:
    _come(scene)
    with scene.watched():
        scene.ask(Cut("crowd"))
        scene.crowds.do("gone")


def moved(scene: Scene) -> None:
    """Their route is moved, and they are not to stay."""
    _come(scene)
    with scene.watched():
        there = f"tcp://127.0.0.2:{scene.crowd_port}"
        scene.ask(Move("crowd", (there,), existing="cut", verify=False))
        scene.crowds.do("gone")
    scene.ask(Move("crowd", (f"tcp://127.0.0.1:{scene.crowd_port}",), verify=False))


def removed(scene: Scene) -> None:
    """Their route goes, and they stay; then another has the same name."""
    spare = f"SPARE_PORT_{scene.port('spare')}_TCP=tcp://127.0.0.1:{scene.crowd_port}"
    scene.ask(Add((spare,)))
    scene.crowds.do("come", "127.0.0.1", scene.port("spare"), CROWD)
    with scene.watched():
        scene.ask(Remove("spare"))
        scene.crowds.do("go", "fin")


def held_and_released(scene: Scene) -> None:
    scene.ask(Hold("crowd", timeout=60, limit=CROWD))
    with scene.watched():
        scene.crowds.do("come", "127.0.0.1", scene.port("crowd"), CROWD, False)
        scene.ask(Status())
        scene.ask(Release("crowd"))
        scene.crowds.do("served", CROWD)
    scene.crowds.do("go", "fin")


def held_and_gone(scene: Scene) -> None:
    """They are held, and leave."""
    scene.ask(Hold("crowd", timeout=60, limit=CROWD))
    scene.crowds.do("come", "127.0.0.1", scene.port("crowd"), CROWD, False)
    _until_open(scene, "crowd", CROWD)
    with scene.watched():
        scene.crowds.do("go", "rst")
        _until_open(scene, "crowd", 0)
        scene.ask(Release("crowd"))


def held_too_long(scene: Scene) -> None:
    """They are held, and their time is over."""
    scene.ask(Hold("crowd", timeout=3, limit=CROWD))
    with scene.watched():
        scene.crowds.do("come", "127.0.0.1", scene.port("crowd"), CROWD, False)
        scene.crowds.do("gone")
    scene.ask(Release("crowd"))


def nobody_there(scene: Scene) -> None:
    """They wait for an endpoint that is not there, and leave."""
    with scene.watched():
        scene.crowds.do("come", "127.0.0.1", scene.port("dead"), CROWD, False)
        _until_open(scene, "dead", CROWD)
        scene.crowds.do("go", "rst")
        _until_open(scene, "dead", 0)


def flood(scene: Scene) -> None:
    """They come and leave without a pause, and their route goes meanwhile."""
    spare = f"SPARE_PORT_{scene.port('spare')}_TCP=tcp://127.0.0.1:{scene.crowd_port}"
    scene.ask(Add((spare,)))
    with scene.watched():
        scene.crowds.begin("flood", "127.0.0.1", scene.port("spare"), 1.0)
        scene.ask(Status("spare"))
        scene.ask(Remove("spare"))
        scene.crowds.end()
    scene.crowds.do("served", 0)


def datagrams(scene: Scene) -> None:
    """Datagrams without a pause, from few and from many."""
    with scene.watched():
        scene.crowds.do("datagrams", "127.0.0.1", scene.port("data"), 10, 0.7)
        scene.crowds.do("datagrams", "127.0.0.1", scene.port("data"), CROWD, 1.0)


def _until_open(scene: Scene, route: str, count: int) -> None:
    """Wait until so many sessions of the route are open, those among them that wait."""
    until(lambda: scene.ask(Status(route)).routes[0].open == count, 30)


def _come(scene: Scene) -> None:
    scene.crowds.do("come", "127.0.0.1", scene.port("crowd"), CROWD)
