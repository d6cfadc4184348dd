"""One look for all pages, told as what has changed; nothing while nobody looks."""

import asyncio
import json
from dataclasses import replace

import pytest

from ambassador.admin import look as module
from ambassador.admin.look import Look, Looks
from ambassador.core.results import RouteView, StatusView

ROUTE = RouteView("redis", ":6379", (), "relay", "", 0, 0, 0, 0, 0, 0, "keep", "a test")


class Reconciler:
    def __init__(self, *names):
        self.routes = {name: replace(ROUTE, name=name) for name in names}
        self.asked = 0
        self.events = type("Events", (), {"last": 7})

    async def execute(self, command):
        self.asked += 1
        await asyncio.sleep(0)
        return StatusView("ready", "1", 1, 1.0, tuple(self.routes.values()))


@pytest.fixture
def looks(monkeypatch):
    """Run a body with looks that are never fresh."""
    monkeypatch.setattr(module, "_FRESH", -1.0)
    monkeypatch.setattr(module, "_SOON", -1.0)

    def run(body, *names):
        async def running():
            reconciler = Reconciler(*names)
            made = Looks(reconciler)

            async def ask(since=0):
                return json.loads(b"".join(await made(Look(since))))

            await body(reconciler, ask)

        asyncio.run(running())

    return run


def names(told):
    return [one["name"] for one in told["routes"]]


def test_only_what_has_changed_is_told(looks):
    async def body(reconciler, ask):
        first = await ask()
        assert (names(first), first["whole"], first["event"]) == (["a", "b", "c"], True, 7)
        reconciler.routes["b"] = replace(reconciler.routes["b"], open=1)
        del reconciler.routes["c"]
        second = await ask(first["number"])
        assert (names(second), second["gone"], second["whole"]) == (["b"], ["c"], False)
        third = await ask(second["number"])
        assert (names(third), third["gone"]) == ([], [])
        reconciler.routes["c"] = replace(ROUTE, name="c")
        fourth = await ask(first["number"])
        assert (names(fourth), fourth["gone"]) == (["b", "c"], [])

    looks(body, "a", "b", "c")


@pytest.mark.parametrize("since", [1, 10**15])
def test_who_has_looked_at_another_process_is_told_all(looks, since):
    async def body(_, ask):
        await ask()
        assert (await ask(since))["whole"] is True

    looks(body, "a")


def test_of_too_many_that_are_gone_all_is_told(looks, monkeypatch):
    monkeypatch.setattr(module, "_GONE", 1)

    async def body(reconciler, ask):
        first = await ask()
        reconciler.routes.clear()
        told = await ask(first["number"])
        assert (told["whole"], told["routes"], told["gone"]) == (True, [], [])

    looks(body, "a", "b")


def test_pages_that_ask_at_once_share_a_look(looks, monkeypatch):
    monkeypatch.setattr(module, "_FRESH", 60.0)

    async def body(reconciler, ask):
        await asyncio.gather(*(ask() for _ in range(5)))
        await ask()
        assert reconciler.asked == 1

    looks(body, "a")


def test_what_has_happened_is_looked_at_soon(looks, monkeypatch):
    monkeypatch.setattr(module, "_FRESH", 60.0)
    monkeypatch.setattr(module, "_SOON", 0.0)

    async def body(reconciler, ask):
        await ask()
        reconciler.events.last = 8
        await asyncio.sleep(0.001)
        await ask()
        await ask()
        assert reconciler.asked == 2

    looks(body, "a")


def test_after_a_while_nothing_is_kept(looks, monkeypatch):
    monkeypatch.setattr(module, "_FORGET", 0.01)

    async def body(reconciler, ask):
        first = await ask()
        for _ in range(500):
            await asyncio.sleep(0.01)
            if (await ask(first["number"]))["whole"]:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("it is known for ever")

    looks(body, "a")


def test_what_takes_long_is_asked_for_more_seldom(looks):
    async def body(reconciler, ask):
        assert (await ask())["every"] >= 3.0
        asked = reconciler.execute

        async def slow(command):
            await asyncio.sleep(0.2)
            return await asked(command)

        reconciler.execute = slow
        assert 4.0 <= (await ask())["every"] <= 10.0

    looks(body, "a")
