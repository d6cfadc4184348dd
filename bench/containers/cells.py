"""What is measured on an engine; each gives rows that are kept and summed up in the page."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.containers.clients import Asked, ask
from bench.containers.engines import Engine, entered, until
from bench.containers.stage import NETWORK, PORT, STEADY, Stage
from bench.containers.turns import judged, recreation, restart, restarts
from bench.errors import BenchError

__all__ = ["CELLS", "Row"]

Row = dict[str, float]
_LIMIT = 280.0  # seconds of one cell; what is missing is done by another call
_OTHERS = 150
_FROZEN = 60.0
_REST = 60.0
_SESSIONS = 16


def _turns(plane: str, number: int) -> Callable[[Stage, int], list[Row]]:
    def measure(stage: Stage, given: int) -> list[Row]:
        end = time.monotonic() + _LIMIT
        with stage.ambassador("docker://redis", plane), stage.clients() as clients:
            found = restarts(stage, clients, given or number, until_when=end)
        return [one._asdict() for one in found]

    return measure


def _idle_turns(stage: Stage, given: int) -> list[Row]:
    """Restarts without a client in the gap: the first connection afterwards is right."""
    rows = []
    with stage.ambassador("docker://redis", "relay"), entered(stage.engine.host):
        for _ in range(given or 20):
            until(lambda: ask(stage.home, PORT).who == "redis", "an answer")
            down, up = restart(stage)
            rows.append(judged([ask(stage.home, PORT)], down, up)._asdict())
    return rows


def _by_dns(stage: Stage, given: int) -> list[Row]:
    dns = "127.0.0.11" if stage.engine.kind == "docker" else "10.98.0.1"
    end = time.monotonic() + _LIMIT
    with (
        stage.ambassador("tcp://redis:6379", "relay", dns=dns),
        stage.clients() as clients,
    ):
        found = restarts(stage, clients, given or 100, until_when=end)
    return [one._asdict() for one in found]


def _among_many(stage: Stage, given: int) -> list[Row]:
    for number in range(_OTHERS):
        stage.create(f"one-of-many-{number}")
    end = time.monotonic() + _LIMIT
    with stage.ambassador("docker://redis", "relay"), stage.clients() as clients:
        found = restarts(stage, clients, given or 100, recreation, until_when=end)
    return [one._asdict() for one in found]


def _frozen(stage: Stage, given: int) -> list[Row]:
    """The ambassador stands still under events; clients begin when it goes on."""
    rows = []
    for plane in ("relay", "kernel"):
        for _ in range(given or 1):
            with stage.ambassador("docker://redis", plane) as ambassador:
                with entered(stage.engine.host):
                    until(lambda: ask(stage.home, PORT).who == "redis", "an answer")
                ambassador.signal(signal.SIGSTOP)
                began, count = time.monotonic(), 0
                while time.monotonic() - began < _FROZEN - 3:
                    restart(stage)
                    count += 1
                time.sleep(max(0.0, _FROZEN - (time.monotonic() - began)))
                ambassador.signal(signal.SIGCONT)
                on = time.time()
                with stage.clients() as clients:
                    time.sleep(4)
                    every = clients.taken()
            late = [one.ended for one in every if one.who != "redis"]
            first = min((one.ended for one in every if one.who == "redis"), default=0.0)
            right = max([first, *late])
            kernel = float(plane == "kernel")
            rows.append({"kernel": kernel, "turns": count, "right": (right - on) * 1000})
    return rows


class _Sessions:
    """Sessions that are asked ten times a second and counted when they break."""

    def __init__(self, stage: Stage) -> None:
        with entered(stage.engine.host):
            self._open = [
                socket.create_connection((stage.home, STEADY), 10) for _ in range(_SESSIONS)
            ]
        self.lost = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._open and not self._over.wait(0.1):
            for sock in tuple(self._open):
                try:
                    sock.sendall(b"PING\r\n")
                    good = sock.recv(100) == b"+PONG\r\n"
                except OSError:
                    good = False
                if not good:
                    self.lost += 1
                    self._open.remove(sock)

    def end(self) -> int:
        """Close them; return how many were lost."""
        self._over.set()
        self._thread.join(15)
        for sock in self._open:
            sock.close()
        return self.lost


def _engine_restarts(stage: Stage, given: int) -> list[Row]:
    """The engine is killed or ended, is back (its containers went on), and a container restarts in
    the same moment.
    """
    rows = []
    engine = stage.engine
    for plane in ("relay", "kernel"):
        with stage.ambassador("docker://redis", plane), stage.clients() as clients:
            for number in range(given or 6):
                settled = time.time()
                until(lambda: clients.all_since(settled), "answers")  # noqa: B023
                sessions = _Sessions(stage)
                clients.taken()
                wait = engine.folder / "wait"
                wait.touch()
                engine.kill(signal.SIGKILL if number % 2 else signal.SIGTERM)
                until(lambda: not engine.answers(), "the engine's end")
                time.sleep(1)
                away = clients.taken()
                wait.unlink()
                until(engine.answers, "the engine's return")
                down, up = restart(stage)
                back = time.time()
                until(lambda: clients.all_since(back), "answers again")  # noqa: B023
                turn = judged(clients.taken(), down, up)
                failed = sum(1 for one in away if one.who != "redis")
                kernel, lost = float(plane == "kernel"), float(sessions.end())
                rows.append({**turn._asdict(), "kernel": kernel, "away": failed, "lost": lost})
    return rows


@contextmanager
def _between(engine: Engine) -> Iterator[tuple[Path, list[float], list[float]]]:
    """A socket before the engine's, and the moments of each POST that went through it, and of the
    answers.
    """
    path, posts, answers = engine.folder / "between", list[float](), list[float]()
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(64)

    def carry(one: socket.socket, two: socket.socket, posted: threading.Event, there: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := one.recv(1 << 16):
                if there and piece.startswith(b"POST "):
                    posts.append(time.time())
                    posted.set()
                elif not there and posted.is_set():
                    answers.append(time.time())
                    posted.clear()
                two.sendall(piece)
        for sock in (one, two):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = server.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(str(engine.socket))
                posted = threading.Event()
                for words in ((near, far, posted, True), (far, near, posted, False)):
                    threading.Thread(target=carry, args=words, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield path, posts, answers
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def _wake(stage: Stage, given: int) -> list[Row]:
    """Clients of a stopped container: one, and a hundred at once, in turns."""
    rows = []
    with (
        _between(stage.engine) as (path, posts, answers),
        stage.ambassador("docker://redis?wake", "relay", path),
    ):
        for number in range(2 * (given or 10)):
            many = 100 if number % 2 else 1
            stage.stop()
            time.sleep(1.5)  # the engine's list may lag behind for a second
            posts.clear()
            answers.clear()
            began = time.time()
            every = _at_once(stage, many)
            up = stage.up_since("redis", began)
            until(lambda: stage.engine.inspect("redis")["State"]["Running"], "it runs")
            served = [one.ended for one in every if one.who == "redis"]
            asked = (posts[0] - began) * 1000 if posts else float("inf")
            own = (max(up, *answers[:1]) - began) * 1000 - asked if answers else float("inf")
            last = (max(served) - began) * 1000 if served else float("inf")
            refused = float(sum(1 for one in every if one.who != "redis"))
            rows.append(
                {
                    "clients": many, "posts": len(posts), "refused": refused,
                    "own": own, "asked": asked, "last": last, "over": last - own,
                }
            )  # fmt: skip
    return rows


def _at_once(stage: Stage, many: int) -> list[Asked]:
    found: list[Asked] = []

    def one() -> None:
        with entered(stage.engine.host):
            found.append(ask(stage.home, PORT))

    threads = [threading.Thread(target=one, daemon=True) for _ in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    return found


def _rest(stage: Stage, given: int) -> list[Row]:
    """Nothing happens: what of a core it takes, beside the same by addresses."""
    rows = []
    for endpoint in ("docker://redis", f"tcp://{stage.engine.address('redis', NETWORK)}:6379"):
        with stage.ambassador(endpoint, "relay") as ambassador:
            time.sleep(5)
            before, began = ambassador.used()[0], time.monotonic()
            time.sleep(given or _REST)
            spent = ambassador.used()[0] - before
            share = 100 * spent / (time.monotonic() - began)
        rows.append({"named": float(endpoint.startswith("docker")), "share": share})
    return rows


def _start(stage: Stage, given: int) -> list[Row]:
    """What a start costs more than one by addresses, in turns."""
    rows = []
    address = f"tcp://{stage.engine.address('redis', NETWORK)}:6379"
    for number in range(-2, 2 * (given or 15)):
        named = number % 2 == 0
        with stage.ambassador("docker://redis" if named else address, "relay") as ambassador:
            with entered(stage.engine.host):
                if ask(stage.home, PORT).who != "redis":
                    raise BenchError("no answer after the start")
            spent, memory = ambassador.used()
        if number >= 0:  # the first two may write bytecode
            rows.append({"named": float(named), "spent": spent * 1000, "memory": memory})
    return rows


CELLS: dict[str, Callable[[Stage, int], Sequence[Row]]] = {
    "relay": _turns("relay", 100),
    "kernel": _turns("kernel", 100),
    "nobody": _idle_turns,
    "dns": _by_dns,
    "many": _among_many,
    "frozen": _frozen,
    "engine": _engine_restarts,
    "wake": _wake,
    "rest": _rest,
    "start": _start,
}
