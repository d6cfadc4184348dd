"""What ports.Resolver promises, of the real one and of the one tests use."""

from __future__ import annotations

import asyncio

import pytest

from ambassador.errors import ResolveError
from ambassador.resolve.hosts import HostsFile
from ambassador.resolve.resolver import NameResolver
from tests.names import StaticResolver


class NoNameServers:
    """DNS that knows no name; the real one has tests of its own (tests/unit/resolve)."""

    async def ask(self, name):
        raise ResolveError(f"{name} has no address: there is no such name")


class Real:
    """NameResolver over a hosts file."""

    def __init__(self, folder):
        self._path = folder / "hosts"
        self._path.write_text("")
        self.resolver = NameResolver(HostsFile(self._path), NoNameServers())

    def say(self, host, *addresses):
        self._path.write_text("".join(f"{address} {host}\n" for address in addresses))

    def lose(self, host):
        self._path.write_text("")

    def close(self):
        self.resolver.close()


class Static:
    """StaticResolver, for which a name that is lost keeps its last answer."""

    def __init__(self, _):
        self.resolver = StaticResolver()

    def say(self, host, *addresses):
        self.resolver.answer(host, *addresses)

    def lose(self, host):
        self.resolver.answer(host)

    def close(self):
        pass


@pytest.fixture(params=[Real, Static], ids=["real", "static"])
def run(request, tmp_path):
    """Run a test's coroutine with a world it can change, and its resolver."""

    def running(test):
        async def main():
            world = request.param(tmp_path)
            try:
                async with asyncio.timeout(10):
                    await test(world, world.resolver)
            finally:
                world.close()

        asyncio.run(main())

    return running


async def becomes(resolver, host, *addresses):
    """Ask until `host` has `addresses`."""
    while tuple(await resolver.resolve(host)) != addresses:
        resolver.doubt(host)
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("literal", ["10.0.0.7", "fd00::7", "::1", "0.0.0.0"])
def test_a_literal_is_returned_as_it_is(run, literal):
    async def test(world, resolver):
        assert list(await resolver.resolve(literal)) == [literal]
        resolver.watch(literal, pytest.fail)()
        resolver.doubt(literal)

    run(test)


def test_a_name_has_all_its_addresses(run):
    async def test(world, resolver):
        world.say("db", "10.0.0.7", "fd00::7")
        assert list(await resolver.resolve("db")) == ["10.0.0.7", "fd00::7"]

    run(test)


def test_a_name_that_never_had_an_address_is_an_error_that_names_it(run):
    async def test(world, resolver):
        with pytest.raises(ResolveError, match="db has no address"):
            await resolver.resolve("db")

    run(test)


def test_a_name_that_gets_its_first_address_is_resolved_then(run):
    async def test(world, resolver):
        with pytest.raises(ResolveError):
            await resolver.resolve("db")
        world.say("db", "10.0.0.7")
        assert list(await resolver.resolve("db")) == ["10.0.0.7"]

    run(test)


def test_a_doubted_name_is_asked_for_again(run):
    async def test(world, resolver):
        world.say("db", "10.0.0.7")
        await resolver.resolve("db")
        world.say("db", "10.0.0.8")
        await becomes(resolver, "db", "10.0.0.8")

    run(test)


def test_the_last_good_answer_stands_when_asking_fails(run):
    async def test(world, resolver):
        world.say("db", "10.0.0.7")
        await resolver.resolve("db")
        world.lose("db")
        for _ in range(3):
            resolver.doubt("db")
            assert list(await resolver.resolve("db")) == ["10.0.0.7"]

    run(test)


def test_doubt_of_a_name_nobody_asked_for_is_no_error(run):
    async def test(world, resolver):
        resolver.doubt("nobody")

    run(test)


def test_who_watches_is_told_of_each_change_until_it_no_longer_watches(run):
    async def test(world, resolver):
        world.say("db", "10.0.0.7")
        await resolver.resolve("db")
        told, other = asyncio.Queue(), asyncio.Queue()
        unwatch = resolver.watch("db", told.put_nowait)
        resolver.watch("db", other.put_nowait)
        world.say("db", "10.0.0.8")
        resolver.doubt("db")
        assert list(await told.get()) == ["10.0.0.8"]
        assert list(await other.get()) == ["10.0.0.8"]
        unwatch()
        unwatch()
        world.say("db", "10.0.0.9")
        resolver.doubt("db")
        assert list(await other.get()) == ["10.0.0.9"]
        assert told.empty()

    run(test)


def test_many_questions_at_once_have_one_answer(run):
    async def test(world, resolver):
        world.say("db", "10.0.0.7")
        answers = await asyncio.gather(*(resolver.resolve("db") for _ in range(50)))
        assert {tuple(answer) for answer in answers} == {("10.0.0.7",)}

    run(test)
