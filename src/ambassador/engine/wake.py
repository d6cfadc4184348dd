"""Start containers for clients that wait, and stop them again when they have no sessions.

Only a container that was woken here is stopped, also after a restart of ours, and not if somebody
else has started it since. A probe wakes no container: it does not wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from ambassador import log
from ambassador.core.containers.container import Container
from ambassador.core.containers.found import Found
from ambassador.core.located import at
from ambassador.engine.http import EngineHttp
from ambassador.engine.woken import Woken
from ambassador.errors import EngineError
from ambassador.model import Proto
from ambassador.spec import container as spec
from ambassador.spec import printable
from ambassador.tasks import spawn

__all__ = ["Waker"]

_PATIENCE = 60.0  # seconds a client waits at most for a container that is being woken
_PROBE = 0.005  # seconds between two checks whether it answers, or has ended
_REAPED = 1.0  # seconds for a process that was killed to end
_START = 60.0  # seconds the engine, or a command, may take
_PAUSE = 1.0  # seconds after a failed start; then twice as long, and so on
_LONGEST_PAUSE = 30.0
_LOOK = 5.0  # seconds between two looks for open sessions, at most


class Waker:
    """One for each engine. `changed` is called when clients may be let through, `look` to have the
    containers listed; `woken` has the containers that were woken earlier.
    """

    def __init__(
        self,
        http: EngineHttp,
        command: Sequence[str],
        answers: Callable[[str, str, int], Awaitable[bool]],
        sessions: Callable[[str], Awaitable[int]],
        changed: Callable[[], None],
        *,
        look: Callable[[], None],
        woken: Woken,
    ) -> None:
        self.patience = _PATIENCE
        self.errors: dict[str, str] = {}  # by host
        self._http = http
        self._command = tuple(command)
        self._answers = answers
        self._sessions = sessions
        self._changed = changed
        self._look = look
        self._woken = woken
        self._waking: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, float] = {}
        self._pauses: dict[str, float] = {}
        self._held: dict[
            str, tuple[str, ...]
        ] = {}  # by host: addresses that are not let through yet
        self._placed: dict[str, asyncio.Event] = {}
        self._sleeping: dict[str, asyncio.Task[None]] = {}

    def wake(self, wanted: spec.Container, host: str, found: Found) -> float:
        """Have the container that `host` means started, once for all clients; return how many
        seconds they should wait; 0 where there is nothing to start.
        """
        if host in self._waking:
            return self.patience
        if not found.asleep:
            starting = any(r.state in ("restarting", "running") for r in found.replicas)
            return self.patience if starting else 0.0
        if time.monotonic() < self._not_before.get(host, 0.0):
            return 0.0
        asleep = found.asleep[0]
        self._held[host] = ()
        self._placed[host] = asyncio.Event()
        self._waking[host] = spawn(self._wake(wanted, host, asleep), f"wake {asleep.name}")
        return self.patience

    def let_through(self, host: str, wanted: spec.Container, found: Found) -> tuple[str, ...]:
        """Return the addresses of `found` that clients may be led to now."""
        if host not in self._held:
            return found.addresses
        self._held[host] = found.addresses
        if found.addresses:
            self._placed[host].set()
        else:
            self._placed[host].clear()
        return ()

    def forget(self, host: str) -> None:
        """Stop all that is under way for `host`."""
        for task in (self._waking.pop(host, None), self._sleeping.pop(host, None)):
            if task is not None:
                task.cancel()
        self._held.pop(host, None)
        self.errors.pop(host, None)

    def close(self) -> None:
        """Wake and stop no more containers."""
        for host in (*self._waking, *self._sleeping):
            self.forget(host)

    async def _wake(self, wanted: spec.Container, host: str, asleep: Container) -> None:
        began = time.monotonic()
        try:
            await self._start(asleep)
            self._look()  # Podman's events may arrive later
            self.errors.pop(host, None)
            self._pauses.pop(host, None)
            async with asyncio.timeout(_PATIENCE):
                await self._until_it_answers(wanted, host)
        except EngineError as error:
            self._failed(host, asleep, str(error))
        except TimeoutError:
            self._failed(host, asleep, f"it does not answer within {_PATIENCE:g} s")
        else:
            seconds = time.monotonic() - began
            text = f"{asleep.name} was woken for a client, and answers after {seconds:.3f} s"
            log.event(log.INFO, "container_woken", text, container=asleep.name, seconds=seconds)
            if wanted.sleep:
                with contextlib.suppress(EngineError):
                    self._woken.add(asleep.id, await self._started(asleep.id))
                self.see_to(wanted, host, (asleep.id,))
        finally:
            self._held.pop(host, None)
            self._placed.pop(host, None)
            self._waking.pop(host, None)
        self._changed()

    def _failed(self, host: str, asleep: Container, why: str) -> None:
        pause = self._pauses.get(host, _PAUSE)
        self._pauses[host] = min(_LONGEST_PAUSE, pause * 2)
        self._not_before[host] = time.monotonic() + pause
        if self.errors.get(host) != why:
            text = f"{asleep.name} cannot be woken: {why}"
            log.event(log.ERROR, "not_woken", text, container=asleep.name, reason=why)
        self.errors[host] = why

    async def _until_it_answers(self, wanted: spec.Container, host: str) -> None:
        placed = self._placed[host]
        while True:
            await placed.wait()
            addresses = self._held[host]
            if wanted.proto is Proto.UDP:
                return
            for address in addresses:
                if await self._answers(host, *at(address, wanted.port)):
                    return
            await asyncio.sleep(_PROBE)

    async def _start(self, asleep: Container) -> None:
        paused = asleep.state == "paused"
        if self._command:
            await self._run(asleep.name)
            return
        await self._post(asleep.id, asleep.name, "unpause" if paused else "start")

    async def _post(self, id_: str, name: str, what: str) -> None:
        """Have the engine do `what`. 304: it is done already; 409 (Podman: 500): it is paused."""
        path = f"/containers/{id_}/{what}"
        status, body = await self._http.ask("POST", path, _START)
        if status in (200, 204, 304):
            return None
        if what == "start" and status in (409, 500) and b"pause" in body.lower():
            return await self._post(id_, name, "unpause")
        if status in (403, 405):
            raise EngineError(
                f"{self._http.where} forbids POST {path}: a proxy has to allow POST "
                f"/v1.*/containers/{name}/{what} (or .../{id_[:12]}.../{what})",
                path,
            )
        raise EngineError(
            f"{self._http.where} answers {status}: {printable(body[:160].decode(errors='replace'))}"
        )

    async def _run(self, name: str) -> None:
        """Run the command, with the name of the container in place of `{name}`, or as its last
        argument.
        """
        command = [part.replace("{name}", name) for part in self._command]
        if command == list(self._command):
            command.append(name)
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise EngineError(
                f"AMBASSADOR_WAKE_COMMAND: {command[0]}: {error.strerror or error}"
            ) from None
        try:
            async with asyncio.timeout(_START):
                _, said = await process.communicate()
        except TimeoutError:
            what = "has not ended"
            if process.returncode is not None:
                what = "has ended, but what it started keeps its stderr open"
            raise EngineError(f"AMBASSADOR_WAKE_COMMAND: {what} after {_START:g} s") from None
        finally:  # nobody waits for it any more
            await _ended(process)
        if process.returncode:
            words = printable(said[:160].decode(errors="replace").strip())
            raise EngineError(f"AMBASSADOR_WAKE_COMMAND ends with {process.returncode}: {words}")

    def see_to(self, wanted: spec.Container, host: str, ids: Iterable[str]) -> None:
        """Stop the container of `ids` that was woken, now or before a restart, when it has no
        sessions.
        """
        if not wanted.sleep or host in self._sleeping:
            return
        one = next((id_ for id_ in ids if id_ in self._woken), None)
        if one is not None:
            self._sleeping[host] = spawn(self._sleep(wanted, host, one), f"see to {host}")

    async def _sleep(self, wanted: spec.Container, host: str, id_: str) -> None:
        """Stop a woken container after no session was open for long enough."""
        tick = min(_LOOK, wanted.sleep / 4)
        idle = time.monotonic()
        while time.monotonic() - idle < wanted.sleep:
            await asyncio.sleep(tick)
            if await self._sessions(host):
                idle = time.monotonic()
        name = wanted.name or id_[:12]
        try:
            theirs = await self._started(id_) != self._woken.started(id_)
            if not theirs:
                await self._post(id_, name, "stop")
        except EngineError as error:
            self.errors[host] = str(error)
            text = f"{name} cannot be stopped: {error}"
            log.event(log.ERROR, "not_stopped", text, container=name)
        else:
            self._woken.discard(id_)
            if not theirs:
                text = f"{name} is stopped: nothing was open for {wanted.sleep:g} s"
                log.event(log.INFO, "container_asleep", text, container=name)
        finally:
            self._sleeping.pop(host, None)

    async def _started(self, id_: str) -> str:
        """Return since when the container runs, as the engine says; empty where it does not. Raises
        EngineError.
        """
        entry = await self._http.get(f"/containers/{id_}/json")
        state = entry.get("State") if isinstance(entry, dict) else None
        state = state if isinstance(state, dict) else {}
        return str(state.get("StartedAt", "")) if state.get("Running") else ""


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Kill `process` where it still runs, let go of its stderr, and reap it: even when the loop
    ends meanwhile and cancels this once more. A process that does not end though it was killed, as
    one that waits for a disk, is given up after a second.
    """
    # Process has no public name for this. close() kills (asyncio, base_subprocess.py), and lets go
    # of a stderr that what it started keeps open.
    process._transport.close()  # type: ignore[attr-defined]
    cancelled, until = False, time.monotonic() + _REAPED
    while process.returncode is None and time.monotonic() < until:
        try:
            await asyncio.sleep(_PROBE)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
