"""Half an answer: what was known and not denied stands."""

import dns.asyncresolver
import dns.message
import dns.rcode
import dns.resolver
import pytest

from tests.clock import put_forward
from tests.unit.resolve.world import FOUR, SIX, World

pytestmark = pytest.mark.root


@pytest.mark.parametrize("deaf", ["A", "AAAA"])
def test_a_family_that_nobody_answers_for_keeps_its_last_good_answer(
    serve, scenario, hasty, deaf, caplog
):
    async def main(resolver):
        world = World()
        server = serve(world)
        assert tuple(await resolver.resolve("db")) == (FOUR, SIX)
        told = []
        resolver.watch("db", told.append)
        for silence in (None, dns.rcode.SERVFAIL):
            setattr(world, deaf, silence)
            before = server.asked["db.", deaf]
            put_forward(21)
            assert set(await resolver.resolve("db")) == {FOUR, SIX}
            assert server.asked["db.", deaf] > before
        assert told == []
        # A no is an answer: then they are gone.
        setattr(world, deaf, [])
        put_forward(31)
        left = {FOUR, SIX} - {FOUR if deaf == "A" else SIX}
        assert set(await resolver.resolve("db")) == left

    scenario(main)


def test_the_family_that_was_silent_is_asked_for_again_soon(serve, scenario, hasty):
    async def main(resolver):
        world = World()
        serve(world)
        await resolver.resolve("db")
        world.A = None
        put_forward(21)
        await resolver.resolve("db")
        world.A = ["10.0.0.2"]
        put_forward(1.1)  # and not after the TTL of the other
        assert set(await resolver.resolve("db")) == {"10.0.0.2", SIX}

    scenario(main)


def test_another_server_s_no_keeps_what_was_good(serve, scenario):
    async def main(resolver):
        world = World()
        serve(world)
        await resolver.resolve("db.invalid")
        world.A = world.AAAA = dns.rcode.NXDOMAIN
        put_forward(21)
        assert set(await resolver.resolve("db.invalid")) == {FOUR, SIX}

    scenario(main)
