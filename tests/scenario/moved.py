"""Sessions that are moved between processes at any moment, while both ends do whatever they like.

    python -m tests.scenario.moved [SECONDS] [--seed NUMBER]        ./dev fuzz moved [SECONDS]

One ambassador takes over from the other, again and again: each time all sessions go from workers to
the first process, from there to the next process, and to its workers. Both ends of each session
send, pause, stop reading, read slowly, half-close and reset, by scripts that chance has written.
Each byte is compared with what was sent, and each end with what the other did; one session in ten
has no ambassador between its ends, so that what is expected is what happens without one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import socket
import struct
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ambassador.admin import client
from ambassador.core.commands import Status
from ambassador.tasks import spawn
from tests.ports import free_port
from tests.program import Program

__all__ = ["Fuzz", "main"]

_AT_ONCE = 40  # sessions that are open at a time
_DIRECT = 0.1  # the share of those without an ambassador
_PATIENCE = 60.0  # seconds in which something has to happen at an end
_HEAD = struct.Struct(">Q")  # the number of a session: its first bytes
_SOME = random.Random(1).randbytes(1 << 20)  # what is sent, again and again, from some place on
_WRITE = 50_000  # bytes at once at most


@dataclass
class End:
    """One end: its `script`, and what came of it. `does` is how it ends: "end" or "reset"."""

    name: str
    place: int  # in _SOME, where what it sends begins
    script: list[tuple[str, float]]
    does: str
    slow: float  # seconds between two reads
    sent: int = 0  # bytes; where `broken`, some of the last write are perhaps not
    broken: bool = False
    received: int = 0
    saw: str = ""  # how the other side ended
    wrong: list[str] = field(default_factory=list)

    async def perform(self, sock: socket.socket, other: End) -> None:
        """Do all of it at `sock`, while what `other` sends is read."""
        reading = spawn(self._read(sock, other), "read")
        try:
            await self._write(sock)
        except OSError:  # who hears of a reset by a write reads an end after it
            self.broken = True
        if self.does == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
        else:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
            await reading
        sock.close()

    async def _write(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for word, amount in self.script:
            if word == "pause":
                await asyncio.sleep(amount)
                continue
            left = int(amount)
            while left:
                piece = _piece(self.place + self.sent, min(left, _WRITE))
                self.sent += len(piece)
                left -= len(piece)
                await asyncio.wait_for(loop.sock_sendall(sock, piece), _PATIENCE)

    async def _read(self, sock: socket.socket, other: End) -> None:
        loop = asyncio.get_running_loop()
        while not self.saw:
            if self.slow:
                await asyncio.sleep(self.slow)
            try:
                size = 2_000 if self.slow else 65_536
                data = await asyncio.wait_for(loop.sock_recv(sock, size), _PATIENCE)
            except TimeoutError:
                self.saw = "nothing"
            except OSError:
                self.saw = "reset"
            else:
                if data != _piece(other.place + self.received, len(data)):
                    self.wrong.append(f"bytes from {self.received} on are others")
                self.received += len(data)
                self.saw = "" if data else "end"


@dataclass
class Pair:
    """A session: its two ends, once they have met."""

    number: int
    client: End
    upstream: End
    direct: bool
    met: asyncio.Future[socket.socket]
    connected: bool = False


class Fuzz:
    """Runs for so many `seconds`; chance begins with `seed`. `failures` says what was wrong."""

    def __init__(self, seconds: float, seed: int, folder: Path) -> None:
        self.failures: list[str] = []
        self.counts: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._until = time.monotonic() + seconds
        self._admin = folder / "admin.sock"
        self._port = free_port()
        self._pairs: dict[int, Pair] = {}
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self._listening.setblocking(False)
        place = self._listening.getsockname()[1]
        self._route = f"DB_PORT_{self._port}_TCP=tcp://127.0.0.1:{place}"
        self._programs: list[Program] = []

    async def run(self) -> None:
        """Run all of it."""
        accepting = spawn(self._accept(), "accept")
        try:
            await self._next()
            moving = spawn(self._move(), "move")
            await asyncio.gather(*(self._sessions() for _ in range(_AT_ONCE)))
            await moving
            await asyncio.to_thread(self._look_at_the_end)
        finally:
            accepting.cancel()
            self._listening.close()
            for program in self._programs[-2:]:
                with program:
                    pass

    async def _next(self) -> None:
        """Start an ambassador, which takes over from the one there is."""
        upgrade = {"AMBASSADOR_UPGRADE": "yes"} if self._programs else {}
        environ = {"AMBASSADOR_ADMIN": str(self._admin), "AMBASSADOR_WORKERS": "2", **upgrade}
        program = Program(self._route, measured=False, **environ)
        self._programs.append(program)
        await asyncio.to_thread(program.wait_for, "ready", 60.0)
        if upgrade:
            self.counts["moves"] += 1
            code = await asyncio.to_thread(self._programs[-2].exit_code, 60.0)
            if code or self._programs[-2].rest:
                self.failures.append(f"a predecessor ended {code}: {self._programs[-2].rest}")

    async def _move(self) -> None:
        while time.monotonic() < self._until:
            await asyncio.sleep(self._random.expovariate(1.0))
            await self._next()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(self._listening)
            spawn(self._greet(sock), "greet")

    async def _greet(self, sock: socket.socket) -> None:
        """Find out whose the other end is."""
        loop, head = asyncio.get_running_loop(), b""
        sock.setblocking(False)
        try:
            while len(head) < _HEAD.size:
                data = await loop.sock_recv(sock, _HEAD.size - len(head))
                if not data:
                    raise OSError
                head += data
            self._pairs[_HEAD.unpack(head)[0]].met.set_result(sock)
        except (OSError, LookupError):  # its client has reset before that
            sock.close()

    async def _sessions(self) -> None:
        while time.monotonic() < self._until:
            self.counts["sessions"] += 1
            await self._session(self.counts["sessions"])

    async def _session(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        direct = self._random.random() < _DIRECT
        pair = Pair(
            number, self._end("client"), self._end("upstream"), direct, loop.create_future()
        )
        self._pairs[number] = pair
        where = self._listening.getsockname() if direct else ("127.0.0.1", self._port)
        sock = socket.socket()
        sock.setblocking(False)
        upstream: asyncio.Future[None] | None = None
        try:
            await loop.sock_connect(sock, where)
            self.counts["direct" if direct else "through"] += 1
            await loop.sock_sendall(sock, _HEAD.pack(number))
            upstream = spawn(self._upstream(pair), "upstream")
            await pair.client.perform(sock, pair.upstream)
            if pair.client.does == "reset":  # perhaps before anybody was connected for it
                await asyncio.wait((upstream,), timeout=5)
                if not pair.connected:
                    upstream.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await upstream
        except OSError as error:
            self.failures.append(f"session {number}: {error!r}")
        finally:
            sock.close()
            del self._pairs[number]
        self._judge(pair)

    async def _upstream(self, pair: Pair) -> None:
        sock = await asyncio.wait_for(pair.met, _PATIENCE)
        pair.connected = True
        await pair.upstream.perform(sock, pair.client)

    def _end(self, name: str) -> End:
        dice = self._random
        script: list[tuple[str, float]] = []
        for _ in range(dice.randrange(6)):
            if dice.random() < 0.5:
                script.append(("pause", dice.expovariate(3.0)))
            else:
                script.append(("send", float(int(10 ** dice.uniform(0, 6)))))
        slow = dice.choice((0.0, 0.0, 0.0, 0.0, 0.005))
        if slow:
            script = script[:2]
        does = "reset" if dice.random() < 0.2 else "end"
        return End(name, dice.randrange(len(_SOME)), script, does, slow)

    def _judge(self, pair: Pair) -> None:
        """Compare what each end did with what the other saw."""
        ends = [(pair.client, pair.upstream), (pair.upstream, pair.client)]
        resets = "reset" in {pair.client.does, pair.upstream.does}
        for one, other in ends if pair.connected else ():
            self.counts["bytes"] += one.received
            if one.received > other.sent:
                one.wrong.append(f"{one.received} bytes where {other.sent} were sent")
            if not resets and (one.received, one.saw) != (other.sent, "end"):
                one.wrong.append(f"{one.received} bytes of {other.sent}, then {one.saw}")
            heard = one.saw == "reset" or (one.broken and one.saw == "end")
            if other.does == "reset" and one.does == "end" and not heard:
                one.wrong.append(f"the other one reset, and here that was: {one.saw}")
        if not pair.connected and pair.client.does != "reset":
            pair.client.wrong.append("nobody was connected for it")
        for one, _ in ends:
            what = "direct " if pair.direct else ""
            self.failures += [f"{what}session {pair.number}, {one}: {it}" for it in one.wrong]

    def _look_at_the_end(self) -> None:
        """All that was opened is counted, and has ended."""
        deadline = time.monotonic() + 10
        while True:
            (route,) = client.ask(self._admin, Status()).routes
            if (route.open, route.opened) == (0, self.counts["through"]):
                break
            if time.monotonic() > deadline:
                count = self.counts["through"]
                self.failures.append(f"{route.open} open, {route.opened} opened of {count}")
                break
            time.sleep(0.05)
        for program in self._programs:
            self.failures += [f"{one}" for one in program.events if one["event"] == "bug"]
        code = self._programs[-1].stop()
        if code:
            self.failures.append(f"the last one ended {code}")


def _piece(place: int, size: int) -> bytes:
    """Return `size` bytes of what is sent, from `place` on."""
    start = place % len(_SOME)
    piece = _SOME[start : start + size]
    return piece if len(piece) == size else piece + _piece(start + len(piece), size - len(piece))


def main(arguments: list[str]) -> int:
    """Run it as the arguments say, and tell what was found; 1 where something was wrong."""
    parser = argparse.ArgumentParser(
        prog="./dev fuzz moved", description=__doc__.partition("\n\n")[0]
    )
    parser.add_argument("seconds", nargs="?", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ambassador-fuzz-") as folder:
        fuzz = Fuzz(asked.seconds, asked.seed, Path(folder))
        asyncio.run(fuzz.run())
    counts = fuzz.counts
    sys.stdout.write(
        f"{counts['sessions']} sessions, {counts['direct']} of them without an ambassador; "
        f"{counts['bytes'] / 1e9:.2f} GB compared; {counts['moves']} moves of all that were open; "
        f"seed {asked.seed}; {len(fuzz.failures)} wrong\n"
    )
    sys.stdout.writelines(f"{one}\n" for one in fuzz.failures[:50])
    return 1 if fuzz.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
