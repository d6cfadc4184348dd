"""The story of the demonstration: its steps, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager

from ambassador.demo.consumer import Consumer, Tally
from ambassador.demo.resp import ask
from ambassador.demo.screen import Screen
from ambassador.demo.stage import Staged
from ambassador.demo.valkey import SET, Valkey, find_program, free_port, running, sentinel
from ambassador.errors import RunError
from ambassador.tasks import spawn

__all__ = ["Start", "tell"]

CONSUMERS = 10
EVERY = 0.05  # seconds between two requests of one consumer


Start = Callable[[Mapping[str, str]], AbstractAsyncContextManager[Staged]]


async def tell(screen: Screen, start: Start, seconds: float = 10.0) -> Tally:
    """Run the whole demonstration for about `seconds` and return what the consumers saw.

    `start` runs an ambassador with the given variables. Raises RunError when a part of the
    demonstration cannot be started; leaves nothing running, however it ends.
    """
    program, pause, tally = find_program(), seconds / 5, Tally()
    async with running(program) as old, running(program) as new, running(program) as copy:
        screen.say("service", f"{await _version(old)} on 127.0.0.1:{old.port}")
        port = free_port()
        listen = {"REDIS_PORT_6379_TCP_LISTEN": f"127.0.0.1:{port}"}
        link = {"REDIS_PORT_6379_TCP": f"tcp://127.0.0.1:{old.port}", **listen}
        for name, value in link.items():
            screen.say("ambassador", f"{name}={value}")
        async with start(link) as ambassador:
            rate = f"{CONSUMERS / EVERY:.0f} a second"
            screen.say(
                "consumers",
                f"{CONSUMERS} of them connect to 127.0.0.1:{port} for each INCR, {rate}",
            )
            end = asyncio.Event()
            tasks = [
                spawn(
                    Consumer(port, EVERY, tally, f"visits:{n}").run(end, n * EVERY / CONSUMERS),
                    f"consumer {n}",
                )
                for n in range(CONSUMERS)
            ]
            tasks.append(watching := spawn(_watch(screen, tally), "watch"))
            try:
                await asyncio.sleep(pause)
                await _move(screen, ambassador, tally, old, new)
                await asyncio.sleep(pause)
                await ask(copy.port, f"REPLICAOF 127.0.0.1 {new.port}")
                await _until(lambda: copy.copies(new), "the second copy is in sync")
                async with sentinel(program, new) as watcher:
                    screen.say(
                        "service", f"a copy on :{copy.port}, and a sentinel on :{watcher.port}"
                    )
                    await _follow(screen, ambassador, watcher, listen)
                    await asyncio.sleep(pause)
                    await _kill(screen, tally, new, copy)
                    await asyncio.sleep(pause)
                    end.set()
                    await asyncio.gather(*tasks[:-1])
                    watching.cancel()
                    await _audit(tally, copy)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
    _conclude(screen, tally)
    return tally


async def _move(screen: Screen, ambassador: Staged, tally: Tally, old: Valkey, new: Valkey) -> None:
    """Move the service from `old` to `new` without losing a count.

    The route leads to the replica before the replica is promoted: a write that the old instance
    still acknowledges reaches the replica by replication, and nothing is written there later.
    """
    await ask(new.port, f"REPLICAOF 127.0.0.1 {old.port}")
    await _until(lambda: new.copies(old), "the copy is in sync")
    screen.say("service", f"a copy of it on 127.0.0.1:{new.port} is in sync")
    tally.slowest = 0.0
    await ambassador.operator("move", "redis", f"tcp://127.0.0.1:{new.port}", "--hold")

    async def left() -> bool:
        return await old.clients() == 0 and await new.copies(old)

    async def served() -> bool:
        return tally.answered_by == new.port

    await _until(served, "the consumers are served by the copy", 5)
    await _until(left, "the old one has no client left")
    await ask(new.port, "REPLICAOF NO ONE")
    await old.stop()
    screen.say("service", f"the copy is promoted, the one on :{old.port} is stopped")
    failed = len(tally.errors) + tally.broken
    told = f"moved: {failed} errors, the slowest answer took {tally.slowest * 1000:.0f} ms"
    screen.say("consumers", told, "bad" if failed else "good")


async def _follow(
    screen: Screen, ambassador: Staged, watcher: Valkey, listen: Mapping[str, str]
) -> None:
    """Let the route follow the instance that the sentinel names."""

    async def knows() -> bool:
        (copies,) = await ask(watcher.port, f"SENTINEL REPLICAS {SET}")
        return bool(copies)

    await _until(knows, "the sentinel knows the copy")
    await ambassador.operator("hold", "redis")
    follow = f"sentinel://127.0.0.1:{watcher.port}/{SET}"
    screen.say("ambassador", f"REDIS_PORT_6379_TCP_FOLLOW={follow}")
    await ambassador.change({"REDIS_PORT_6379_TCP_FOLLOW": follow, **listen})
    await ambassador.operator("reset", "redis")  # drops the move and the hold


async def _kill(screen: Screen, tally: Tally, primary: Valkey, copy: Valkey) -> None:
    """Kill the primary while consumers use it, and wait until they are served again."""
    tally.slowest, answered = 0.0, tally.answered
    broken = tally.broken
    began = asyncio.get_running_loop().time()
    await primary.kill()
    screen.say("service", f"the primary on :{primary.port} is killed (SIGKILL)", "bad")

    async def served() -> bool:
        return tally.answered_by == copy.port and tally.answered > answered + 2 * CONSUMERS

    await _until(served, "the consumers are served by the other one")
    took = asyncio.get_running_loop().time() - began
    broken = tally.broken - broken
    again = f"{broken} that the kill broke off were made again" if broken else "none was broken off"
    told = f"served by :{copy.port} after {took:.1f} s; {again}, the others waited"
    screen.say("consumers", told, "good")


async def _until(condition: Callable[[], Awaitable[bool]], what: str, within: float = 15) -> None:
    try:
        async with asyncio.timeout(within):
            # the condition depends on another process: it can only be asked for again
            while not await condition():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise RunError(f"waited {within:g} s in vain until {what}") from None


async def _watch(screen: Screen, tally: Tally) -> None:
    """Show once a second how the consumers are served."""
    answered, clock = tally.answered, asyncio.get_running_loop().time
    while True:
        began = clock()
        await asyncio.sleep(1)
        rate = (tally.answered - answered) / (clock() - began)
        slowest = f"the slowest took {tally.recent * 1000:.0f} ms" if rate else "all wait"
        told = f"{rate:4.0f} answers a second by :{tally.answered_by}, {slowest}"
        screen.say("consumers", told, "bad" if tally.errors else "")
        answered, tally.recent = tally.answered, 0.0


async def _audit(tally: Tally, valkey: Valkey) -> None:
    """Compare the counts that consumers were told with those of the service; it must not have
    less.
    """
    for key, told in tally.told.items():
        (stored,) = await ask(valkey.port, f"GET {key}")
        if int(str(stored or 0)) < told:
            tally.errors.append(f"the service has {stored} of {key}, a consumer was told {told}")
            tally.lost += told - int(str(stored or 0))


def _conclude(screen: Screen, tally: Tally) -> None:
    for error in tally.errors[:5]:
        screen.say("consumers", error, "bad")
    if tally.flawless:
        result = f"{tally.answered} requests, all answered; no acknowledged write is lost"
        screen.say("consumers", result, "good")
    else:
        failed = tally.requests - tally.answered
        result = (
            f"{tally.requests} requests, {failed} failed, {tally.lost} acknowledged writes lost"
        )
        screen.say("consumers", result, "bad")


async def _version(valkey: Valkey) -> str:
    facts = await valkey.facts("server")
    if "valkey_version" in facts:
        return f"Valkey {facts['valkey_version']}"
    return f"Redis {facts['redis_version']}"
