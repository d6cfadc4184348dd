"""`./dev bench fleet [PROCESSES] [WATCHERS]`: a move under real ambassadors, then under thousands
that watch; what it took is printed as the rows of docs/fleet.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from ambassador.core.fleet.keys import Keys, after
from ambassador.fleet.access import Access
from ambassador.fleet.connection import AwayError, Url
from ambassador.fleet.etcd import Etcd
from ambassador.fleet.mover import Mover, Plan
from ambassador.spec import parse_endpoint
from bench.errors import BenchError
from bench.fleet.watchers import SERVICE

__all__ = ["main"]

_PROCESSES, _WATCHERS, _EACH = 200, 5000, 1250  # real ones; watchers, and how many in a process
_MOVES = 5
_REST = 5.0  # seconds in which the cost of doing nothing is measured
_BETWEEN = 0.4  # seconds between two starts
_PATIENCE = 300.0  # seconds for all to be there
_KEYS = Keys("/ambassador")
_TICKS = os.sysconf("SC_CLK_TCK")


def _port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def _used(number: int) -> tuple[float, float]:
    """Return the seconds of the processor and the MB of memory, its share of what it shares with
    others, that the process of this `number` has used.
    """
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    rollup = Path(f"/proc/{number}/smaps_rollup").read_text()
    share = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
    return (int(fields[11]) + int(fields[12])) / _TICKS, int(share.split()[1]) / 1024


@asynccontextmanager
async def _running(*words: str, **more: object) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(*words, **more)  # type: ignore[arg-type]
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def _etcd(folder: Path) -> AsyncIterator[tuple[str, int]]:
    program = shutil.which("etcd")
    if program is None:
        raise BenchError("etcd is not installed: apt-get install etcd-server")
    url, peer = f"http://127.0.0.1:{_port()}", f"http://127.0.0.1:{_port()}"
    words = (
        *(program, "--data-dir", str(folder / "etcd"), "--initial-cluster", f"default={peer}"),
        *("--listen-client-urls", url, "--advertise-client-urls", url),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
    )
    with (folder / "etcd.log").open("wb") as log:
        async with _running(*words, stdout=log, stderr=log) as process:
            yield url, process.pid


@contextlib.contextmanager
def _servers() -> Iterator[list[str]]:
    """Two services that take connections and end them, in a thread each; give their URLs."""

    def greet(server: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it is closed
            while True:
                server.accept()[0].close()

    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(2):
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=8192))
            stack.callback(server.shutdown, socket.SHUT_RDWR)
            threading.Thread(target=greet, args=(server,), daemon=True).start()
            found.append(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        yield found


def _client(url: str) -> Etcd:
    host, _, port = url.removeprefix("http://").rpartition(":")
    return Etcd(Access((Url(host, int(port), tls=False),)))


def _listens(number: int) -> tuple[str, str]:
    """Return the route of the ambassador of this `number`."""
    listen = f"127.1.{number // 250}.{number % 250 + 1}:6379"
    return f"S_PORT_6379_TCP=etcd://{SERVICE}", f"S_PORT_6379_TCP_LISTEN={listen}"


async def _begin(
    stack: AsyncExitStack, words: Sequence[str], environ: dict[str, str], log: BinaryIO
) -> asyncio.subprocess.Process:
    running = _running(sys.executable, *words, env=environ, stdout=log, stderr=log)
    return await stack.enter_async_context(running)


async def _all_there(etcd: Etcd, number: int, began: float) -> bool:
    """Tell, after half a second, whether as many have reported. Raises BenchError when it is too
    late for that.
    """
    await asyncio.sleep(0.5)
    applied, found = _KEYS.applied(SERVICE), 0
    with contextlib.suppress(AwayError):  # while all start, it may have no turn for seconds
        found = len((await etcd.get(applied, after(applied))).values)
    took = time.monotonic() - began
    if found < number and took > _PATIENCE:
        raise BenchError(f"{found} of {number} are there after {_PATIENCE:g} s")
    if found >= number:
        print(f"{number} are there after {took:.0f} s", flush=True)
    return found >= number


class _Moves:
    """Moves to and fro, as the verb does; `since` is when the last move began (monotonic)."""

    def __init__(self, etcd: Etcd, urls: Sequence[str]) -> None:
        self._etcd, self._urls, self._number = etcd, urls, 0
        self.since = 0.0

    async def move(self) -> float:
        """Move; return after how many seconds the last report of it was there."""
        self._number += 1
        self.since = time.monotonic()
        endpoint = parse_endpoint(self._urls[self._number % 2])
        mover = Mover(self._etcd, _KEYS, "bench")
        outcome = await mover.move(Plan(SERVICE, (endpoint,), timeout=60))
        if not outcome.done:
            now = outcome.progress
            what = f"{len(now.applied)} have said so, {len(now.waiting)} have not"
            raise BenchError(f"after 60 s {what}, {len(now.gone)} are gone: too much for this etcd")
        return time.monotonic() - self.since


def _row(what: str, values: Sequence[float]) -> None:
    text = f"{min(values):.2f}, {statistics.median(values):.2f}, {max(values):.2f} s"
    print(f"| {what} | {text} |", flush=True)


async def _cost(pids: Sequence[int], doing: Callable[[], Awaitable[object]]) -> list[float]:
    """Return the seconds of the processor that each of `pids` used meanwhile."""
    before = [_used(pid)[0] for pid in pids]
    await doing()
    return [_used(pid)[0] - one for pid, one in zip(pids, before, strict=True)]


async def _rest(what: str, etcd: int, pids: Sequence[int]) -> None:
    own, *others = await _cost((etcd, *pids), lambda: asyncio.sleep(_REST))
    memory = [_used(pid)[1] for pid in pids]
    print(
        f"| {what}, at rest | etcd {own / _REST * 100:.1f} % of a core, {_used(etcd)[1]:.0f} MB; "
        f"each process {statistics.mean(others) / _REST * 100:.2f} %, "
        f"{statistics.mean(memory):.1f} MB |",
        flush=True,
    )


async def _processes(number: int, folder: Path) -> None:
    what = f"{number} ambassadors"
    async with AsyncExitStack() as stack:
        url, pid = await stack.enter_async_context(_etcd(folder))
        urls, etcd = stack.enter_context(_servers()), _client(url)
        stack.callback(etcd.close)
        environ = {
            **os.environ,
            "AMBASSADOR_ETCD": url,
            "AMBASSADOR_ADMIN": "off",
            "AMBASSADOR_PLANE": "relay",
            "AMBASSADOR_WORKERS": "0",
        }
        log = stack.enter_context((folder / "ambassadors.log").open("wb"))
        processes: list[asyncio.subprocess.Process] = []
        for one in range(number):
            words = ("-m", "ambassador", "run", *_listens(one))
            processes.append(await _begin(stack, words, environ, log))
            await asyncio.sleep(_BETWEEN)
        began = time.monotonic()
        while not await _all_there(etcd, number, began):
            gone = (place for place, one in enumerate(processes) if one.returncode is not None)
            if (place := next(gone, None)) is not None:  # etcd had no turn for 5 s, so it has ended
                words = ("-m", "ambassador", "run", *_listens(place))
                processes[place] = await _begin(stack, words, environ, log)
        pids = [one.pid for one in processes]
        moves = _Moves(etcd, urls)
        await moves.move()
        await _rest(what, pid, pids)
        took, costs = list[float](), []
        for _ in range(_MOVES):
            own, *others = await _cost((pid, *pids), lambda: _timed(moves, took))
            costs.append((own, statistics.mean(others)))
        _row(f"{what}: from the command until the last has reported (least, median, most)", took)
        print(
            f"| {what}, a move | etcd {statistics.median(one for one, _ in costs):.2f} s of CPU, "
            f"each process {statistics.median(one for _, one in costs) * 1000:.0f} ms |",
            flush=True,
        )


async def _timed(moves: _Moves, took: list[float]) -> None:
    took.append(await moves.move())


class _Crowd:
    """A process of watchers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def hear(self) -> dict[str, list[float]]:
        assert self._process.stdout is not None
        found: dict[str, list[float]] = json.loads(await self._process.stdout.readline())
        return found

    async def ask(self) -> dict[str, list[float]]:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        return await self.hear()


async def _watchers(number: int, folder: Path) -> None:
    what = f"{number} watchers"
    async with AsyncExitStack() as stack:
        url, pid = await stack.enter_async_context(_etcd(folder))
        urls, etcd = stack.enter_context(_servers()), _client(url)
        stack.callback(etcd.close)
        print(f"etcd alone: {_used(pid)[1]:.0f} MB", flush=True)
        crowds, pids = [], []
        for first in range(0, number, _EACH):
            words = ("-m", "bench.fleet.watchers", url, str(min(_EACH, number - first)))
            pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
            running = _running(sys.executable, *words, **pipes)
            process = await stack.enter_async_context(running)
            crowds.append(_Crowd(process))
            pids.append(process.pid)
            await crowds[-1].hear()
        began = time.monotonic()
        while not await _all_there(etcd, number, began):
            pass
        moves = _Moves(etcd, urls)
        await moves.move()
        await _rest(what, pid, pids)
        print(f"load {os.getloadavg()[0]:.1f}", flush=True)
        reported, half, last, costs = list[float](), list[float](), list[float](), []
        for _ in range(_MOVES):
            own, *others = await _cost((pid, *pids), lambda: _timed(moves, reported))
            times = [(await crowd.ask())["times"] for crowd in crowds]
            half.append(statistics.median(one for _, one, _ in times) - moves.since)
            last.append(max(one for _, _, one in times) - moves.since)
            costs.append((own, sum(others) / number))
        _row(f"{what}: from the command until half have applied it (least, median, most)", half)
        _row(f"{what}: until the last has", last)
        _row(f"{what}: until all have reported", reported)
        said = [await crowd.ask() for crowd in crowds]
        memory = statistics.mean(float(one["memory"]) for one in said) / 1024  # type: ignore[arg-type]
        print(
            f"| {what}, a move | etcd {statistics.median(one for one, _ in costs):.2f} s of CPU, "
            f"{_used(pid)[1]:.0f} MB; each watcher "
            f"{statistics.median(one for _, one in costs) * 1000:.1f} ms and {memory:.0f} KB |",
            flush=True,
        )


def main(arguments: Sequence[str]) -> int:
    """Measure with so many PROCESSES and WATCHERS, 0 for none; return the exit code."""
    if not all(one.isdigit() for one in arguments) or len(arguments) > 2:
        raise BenchError("bench fleet takes two numbers: of processes, and of watchers")
    numbers = [int(one) for one in arguments]
    processes, watchers = (*numbers, *(_PROCESSES, _WATCHERS)[len(numbers) :])
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    for number, measure in ((processes, _processes), (watchers, _watchers)):
        if number:
            # In memory where there is such a place: a disk that others use takes a second to sync.
            shm = Path("/dev/shm")
            where = shm if shm.is_dir() else None
            with tempfile.TemporaryDirectory(prefix="bench-fleet-", dir=where) as folder:
                asyncio.run(measure(number, Path(folder)))
            print(f"load {os.getloadavg()[0]:.1f}", flush=True)
    return 0
