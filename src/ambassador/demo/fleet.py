"""A fleet on one machine: an etcd, ambassadors with a consumer each, and moves of their service."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ambassador.demo.screen import Screen
from ambassador.demo.valkey import free_port
from ambassador.errors import RunError
from ambassador.tasks import spawn

__all__ = ["Seen", "find_etcd", "tell_fleet"]

_AMBASSADORS = 10
_EVERY = 0.02  # seconds between two connections of a consumer
_PATIENCE = 30.0  # seconds for the ten processes to start, on a busy machine
_ANSWER = 5.0  # seconds


@dataclass(slots=True)
class Seen:
    """What the consumer of one ambassador has seen: answers by service, and errors."""

    port: int
    answers: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    last: str = ""


def find_etcd() -> str:
    """Return the path of etcd. Raises RunError."""
    found = shutil.which("etcd")
    if found is None:
        raise RunError("the demonstration of a fleet needs an etcd: apt-get install etcd-server")
    return found


async def tell_fleet(screen: Screen, seconds: float) -> bool:
    """Run the demonstration; return whether no consumer saw an error and all saw both moves."""
    program = find_etcd()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ambassador-fleet-")))
        first, second = [await stack.enter_async_context(_service(name)) for name in "AB"]
        url = await stack.enter_async_context(_etcd(program, folder))
        screen.say("service", f"A and B listen on {first} and {second}; etcd on {url}")
        await _say(url, first)
        seen = [Seen(free_port()) for _ in range(_AMBASSADORS)]
        logs = [folder / f"{one.port}.log" for one in seen]
        for one, log in zip(seen, logs, strict=True):
            words = ("run", f"REDIS_PORT_{one.port}_TCP=etcd://redis")
            await stack.enter_async_context(_process(url, words, log))
        await asyncio.gather(*map(_listens, seen))
        screen.say("ambassador", f"{_AMBASSADORS} of them follow redis, each with a consumer")
        over = asyncio.Event()
        consumers = [spawn(_consume(one, over), f"consumer of {one.port}") for one in seen]
        try:
            await asyncio.sleep(seconds / 3)
            await _verb(screen, url, "move", "redis", second)
            moved = await _all_at(seen, "B")
            screen.say("consumer", _counted(seen), "bad" if _failed(seen) else "good")
            await asyncio.sleep(seconds / 3)
            await _verb(screen, url, "undo", "redis", "--hold")
            back = await _all_at(seen, "A")
            await asyncio.sleep(seconds / 3)
        finally:
            over.set()
            await asyncio.gather(*consumers)
    good = not _failed(seen) and moved and back
    screen.say("consumer", _counted(seen), "good" if good else "bad")
    for error in [error for one in seen for error in one.errors][:5]:
        screen.say("consumer", error, "bad")
    return good


@asynccontextmanager
async def _service(name: str) -> AsyncIterator[str]:
    """Run a service that sends its name to each client; yield its URL."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(name.encode())
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def _etcd(program: str, folder: Path) -> AsyncIterator[str]:
    url, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    words = (
        *(program, "--data-dir", str(folder / "data"), "--initial-cluster", f"default={peer}"),
        *("--listen-client-urls", url, "--advertise-client-urls", url),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
    )
    async with _running(words, folder / "etcd.log", os.environ):
        yield url


@asynccontextmanager
async def _process(url: str, words: Sequence[str], log: Path) -> AsyncIterator[None]:
    async with _running((sys.executable, "-m", "ambassador", *words), log, _environ(url)):
        yield


@asynccontextmanager
async def _running(words: Sequence[str], log: Path, environ: object) -> AsyncIterator[None]:
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=dict(environ),  # type: ignore[call-overload]
            start_new_session=True,  # Ctrl-C reaches only the demonstration, which stops it
        )
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(_ANSWER):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def _environ(url: str) -> dict[str, str]:
    """Return the environment of an ambassador of the demonstration, without other routes and
    settings of this shell.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    return kept | {
        "AMBASSADOR_ETCD": url,
        "AMBASSADOR_PLANE": "relay",
        "AMBASSADOR_ADMIN": "off",
        "AMBASSADOR_WORKERS": "0",
        "AMBASSADOR_GRACE": "1s",
    }


async def _say(url: str, endpoint: str) -> None:
    """Write the word of the service to etcd before any ambassador follows it."""
    from ambassador.app.operate import say_first  # noqa: PLC0415 (ssl, h11)

    async with asyncio.timeout(_PATIENCE):
        while True:
            try:
                await say_first(url, "redis", endpoint)
                return
            except RunError:
                await asyncio.sleep(0.05)


async def _listens(one: Seen) -> None:
    try:
        async with asyncio.timeout(_PATIENCE):
            while await _ask(one.port) not in ("A", "B"):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise RunError(f"the ambassador on port {one.port} did not start") from None


async def _ask(port: int) -> str:
    """Return the name of the service that answers, or what went wrong."""
    try:
        async with asyncio.timeout(_ANSWER):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                return (await reader.read(10)).decode() or "an end without an answer"
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError) as error:
        return str(error) or "no answer in time"


async def _consume(one: Seen, over: asyncio.Event) -> None:
    """Connect again and again; count each answer."""
    while not over.is_set():
        answer = await _ask(one.port)
        if answer in ("A", "B"):
            one.answers[answer] = one.answers.get(answer, 0) + 1
            one.last = answer
        else:
            one.errors.append(f"port {one.port}: {answer}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_EVERY):
                await over.wait()


async def _verb(screen: Screen, url: str, *words: str) -> None:
    """Run a verb of the command line, and show its output."""
    screen.say("ambassador", f"ambassador fleet {' '.join(words)}")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ambassador", "fleet", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=_environ(url),
    )
    text, _ = await process.communicate()
    for line in text.decode(errors="replace").splitlines():
        screen.say("ambassador", line, "bad" if process.returncode else "")


async def _all_at(seen: Sequence[Seen], name: str) -> bool:
    """Return whether each consumer is answered by `name` within 5 s."""
    try:
        async with asyncio.timeout(_ANSWER):
            while any(one.last != name for one in seen):  # noqa: ASYNC110 - of ten consumers
                await asyncio.sleep(_EVERY)
    except TimeoutError:
        return False
    return True


def _failed(seen: Sequence[Seen]) -> int:
    return sum(len(one.errors) for one in seen)


def _counted(seen: Sequence[Seen]) -> str:
    a, b = (sum(one.answers.get(name, 0) for one in seen) for name in "AB")
    failed = _failed(seen)
    errors = f"{failed} errors" if failed else "no error"
    return f"{len(seen)} consumers: {a} answers by A, {b} by B, {errors}"
