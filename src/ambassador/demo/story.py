"""The demonstration itself: what happens, in the order it happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager

from ambassador.demo.consumer import Consumer, Tally
from ambassador.demo.resp import ask
from ambassador.demo.screen import Screen
from ambassador.demo.valkey import Valkey, find_program, free_port, running
from ambassador.errors import RunError
from ambassador.tasks import spawn

__all__ = ["Change", "Start", "tell"]

EVERY = 0.2  # seconds between two requests of the consumer


# Lets these link variables take the place of those before, in an ambassador that runs.
Change = Callable[[Mapping[str, str]], Awaitable[None]]
Start = Callable[[Mapping[str, str]], AbstractAsyncContextManager[Change]]


async def tell(screen: Screen, start: Start, seconds: float = 10.0) -> Tally:
    """Run the whole demonstration for about `seconds` and return what the consumer saw.

    `start` runs an ambassador with the variables it is given. Raises RunError when a part of the
    scene cannot be set; leaves nothing running, however it ends.
    """
    program = find_program()
    async with running(program) as old:
        screen.say("service", f"{await _version(old)} on 127.0.0.1:{old.port}")
        port = free_port()
        variables = _link(port, old)
        for name, value in variables.items():
            screen.say("ambassador", f"{name}={value}")
        async with start(variables) as change:
            screen.say(
                "consumer", f"connects to 127.0.0.1:{port} for each INCR, five times a second"
            )
            consumer, end = Consumer(port, EVERY), asyncio.Event()
            counting = spawn(consumer.run(end), "consumer")
            watching = spawn(_watch(screen, consumer.tally), "watch")
            try:
                await asyncio.sleep(seconds * 0.3)
                async with running(program) as new:
                    await _move(screen, change, old, new, port)
                    await asyncio.sleep(seconds * 0.6)
                    end.set()
                    await counting
                    await _audit(consumer.tally, new)
            finally:
                for task in (watching, counting):
                    task.cancel()
                await asyncio.gather(watching, counting, return_exceptions=True)
    _conclude(screen, consumer.tally)
    return consumer.tally


async def _move(screen: Screen, change: Change, old: Valkey, new: Valkey, port: int) -> None:
    """Move the service from `old` to `new` without losing a count.

    The route is pointed at the copy before the copy is promoted: whatever the old one still
    acknowledges reaches the copy by replication, and nothing is written after that.
    """
    await ask(new.port, f"REPLICAOF 127.0.0.1 {old.port}")
    await _until(lambda: new.copies(old), "the copy is in sync")
    screen.say("service", f"a copy of it on 127.0.0.1:{new.port} is in sync")
    await change(_link(port, new))

    async def left() -> bool:
        return await old.clients() == 0 and await new.copies(old)

    await _until(left, "the old one has no client left")
    await ask(new.port, "REPLICAOF NO ONE")
    await old.stop()
    screen.say("service", f"the copy is promoted, the one on :{old.port} is stopped")


async def _until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    try:
        async with asyncio.timeout(10):
            # the condition is in another process: it can only be asked again
            while not await condition():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise RunError(f"waited 10 s in vain until {what}") from None


async def _watch(screen: Screen, tally: Tally) -> None:
    """Say once a second how the consumer is doing."""
    while True:
        await asyncio.sleep(1)
        done = f"{tally.answered} of {tally.requests} answered, visits = {tally.visits}"
        screen.say("consumer", f"{done}, by :{tally.answered_by}", "bad" if tally.errors else "")


async def _audit(tally: Tally, valkey: Valkey) -> None:
    """Compare what the consumer was told with what the service has."""
    (stored,) = await ask(valkey.port, "GET visits")
    if str(stored) != str(tally.visits):
        tally.errors.append(
            f"the service has {stored} visits, the consumer was told {tally.visits}"
        )


def _conclude(screen: Screen, tally: Tally) -> None:
    for error in tally.errors:
        screen.say("consumer", error, "bad")
    slowest = f"the slowest took {tally.slowest * 1000:.0f} ms"
    if tally.flawless:
        result = f"{tally.answered} requests, no error, no count lost; {slowest}"
        screen.say("consumer", result, "good")
    else:
        failed = tally.requests - tally.answered
        result = f"{tally.requests} requests, {failed} failed, {tally.lost} counts lost; {slowest}"
        screen.say("consumer", result, "bad")


def _link(port: int, valkey: Valkey) -> dict[str, str]:
    return {
        "REDIS_PORT_6379_TCP": f"tcp://127.0.0.1:{valkey.port}",
        "REDIS_PORT_6379_TCP_LISTEN": f"127.0.0.1:{port}",
    }


async def _version(valkey: Valkey) -> str:
    facts = await valkey.facts("server")
    if "valkey_version" in facts:
        return f"Valkey {facts['valkey_version']}"
    return f"Redis {facts['redis_version']}"
