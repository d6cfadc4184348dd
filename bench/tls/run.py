"""`./dev bench tls`: GET, new connections, bulk and memory over a secret hop of each kind, one
after the other in every round, into docs/secret-hop-benchmarks.md.
"""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bench.bed import answers, ask
from bench.errors import BenchError, Missing
from bench.parse import parse_iperf3, parse_redis_csv
from bench.peers import ambassador
from bench.processes import Process, cpu_seconds, environment, pss_kib, tree, until_still
from bench.tls.page import LOADS, page
from bench.tls.peers import PEERS, ROUTES, HopPeer

__all__ = ["main"]

PAGE = Path(__file__).parents[2] / "docs" / "secret-hop-benchmarks.md"
_INSIDE = "AMBASSADOR_BENCH_TLS"
_SECONDS = 2.0  # of a load
_IDLE = 1000  # sessions whose memory is looked at
_REDIS, _IPERF = ROUTES
_ADDRESS = ("127.0.0.1", _REDIS.front)


class Hop:
    """Both go-betweens of one kind."""

    def __init__(self, peer: HopPeer, folder: Path, *, resumes: bool) -> None:
        program = peer.find()
        far, near = peer.far(program, folder, resumes), peer.near(program, folder, resumes)
        self._processes = [Process(far, folder / "far.log")]
        try:
            self._processes.append(Process(near, folder / "near.log"))
            deadline = time.monotonic() + 15
            while not answers(_ADDRESS):
                for one in self._processes:
                    if one.ended:
                        raise Missing(f"{peer.label}: {one.last_words()}")
                if time.monotonic() > deadline:
                    raise Missing(f"{peer.label}: no answer through it")
                time.sleep(0.01)
            until_still(self.pids)
        except BaseException:
            self.end()
            raise

    def pids(self) -> list[int]:
        return [pid for one in self._processes for pid in tree(one.pid)]

    def end(self) -> None:
        for one in self._processes:
            one.end()

    def client(self, words: Sequence[str]) -> tuple[str, float]:
        """Run a client's tool; return what it printed and the CPU of both hops meanwhile."""
        before = cpu_seconds(self.pids())
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=90, check=False, env=environment()
        )
        return done.stdout, cpu_seconds(self.pids()) - before

    def redis(self, options: Sequence[str], rate: float) -> dict[str, float]:
        """Run GETs, first a few to learn how fast it goes."""
        words = ["redis-benchmark", "-p", str(_REDIS.front), "--csv", "-t", "get", *options]
        first = int(rate / 4)
        learnt = parse_redis_csv(self.client([*words, "-n", str(first)])[0], first)["rate"]
        count = max(int(learnt * _SECONDS), 200)
        text, cpu = self.client([*words, "-n", str(count)])
        return {**parse_redis_csv(text, count), "cpu_us": cpu / count * 1e6}

    def bulk(self) -> dict[str, float]:
        words = ["iperf3", "-c", "127.0.0.1", "-p", str(_IPERF.front), "--json", "-t", "2"]
        text, cpu = self.client(words)
        values = parse_iperf3(text)
        return {"gbit": values["gbit"], "cpu_s_gb": cpu / values["gigabytes"]}

    def idle(self) -> dict[str, float]:
        """Return what an idle session costs one hop in memory, once each was used."""
        before = pss_kib(self.pids())
        with contextlib.ExitStack() as held:
            for _ in range(_IDLE):
                connection = held.enter_context(socket.create_connection(_ADDRESS, 20))
                if not ask(connection):
                    raise Missing("a session was closed")
            after = pss_kib(self.pids())
        return {"session_kib": (after - before) / _IDLE / 2}


_RUNS: Mapping[str, Callable[[Hop], dict[str, float]]] = {
    "idle": Hop.idle,
    "get50": lambda hop: hop.redis(["-c", "50"], 12000),
    "p16": lambda hop: hop.redis(["-c", "50", "-P", "16"], 100000),
    "bulk": Hop.bulk,
    "new": lambda hop: hop.redis(["-c", "20", "-k", "0"], 800),
}


def _identities(folder: Path) -> None:
    made = subprocess.run(
        [ambassador.find(), "pair", "server=127.0.0.1", "client"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise BenchError(f"pair: {made.stderr.strip()}")
    text = (folder / "server.pem").read_text()
    (folder / "authority.pem").write_text("-----BEGIN" + text.split("-----BEGIN")[-1])


@contextlib.contextmanager
def _services(folder: Path) -> Iterator[None]:
    commands = (
        ["redis-server", "--port", str(_REDIS.service), "--save", "", "--tcp-backlog", "4096"],
        ["iperf3", "--server", "--port", str(_IPERF.service), "--bind", "127.0.0.1"],
    )
    started = [Process(words, folder / f"{words[0]}.log") for words in commands]
    try:
        while not answers(("127.0.0.1", _REDIS.service)):
            time.sleep(0.01)
        subprocess.run(["redis-cli", "set", "key:__rand_int__", "xxx"], check=True)
        yield
    finally:
        for one in started:
            one.end()


def _round(peer: HopPeer, folder: Path, loads: Sequence[str]) -> dict[str, dict[str, float]]:
    """Measure `peer` once. New connections have a hop that resumes nothing, then one that does."""
    found: dict[str, dict[str, float]] = {}
    warm = [one for one in loads if one != "idle"]
    idle, new = ([one for one in (name,) if one in loads] for name in ("idle", "new"))
    # Memory of a process that has done something else before would be used again, unseen.
    for names, resumes in ((idle, True), (warm, True), (new, False)):
        if not names:
            continue
        hop = Hop(peer, folder, resumes=resumes)
        try:
            for name in names:
                key = name if resumes else "full"
                found[key] = _RUNS[name](hop)
                print(f"{peer.label}: {key}: {_short(found[key])}", flush=True)
        finally:
            hop.end()
    return found


def _short(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:,.2f}" for name, value in values.items())


def main(arguments: Sequence[str]) -> int:
    """Measure in so many ROUNDS (3 without a word), all loads or those that are named; the page is
    written where all were measured. Return the exit code.
    """
    rounds = int(arguments[0]) if arguments and arguments[0].isdigit() else 3
    loads = [one for one in arguments if one in _RUNS] or list(_RUNS)
    if unknown := [one for one in arguments if one not in _RUNS and not one.isdigit()]:
        raise BenchError(f"tls: there is no load {unknown[0]}; there are {', '.join(_RUNS)}")
    if not os.environ.pop(_INSIDE, ""):
        os.environ[_INSIDE] = "1"
        words = " ".join(map(str, (rounds, *loads)))
        inside = f'ip link set lo up && exec "{sys.executable}" -m bench tls {words}'
        os.execvp("unshare", ["unshare", "-n", "sh", "-c", inside])
    load = os.getloadavg()[0]
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _identities(folder)
        with _services(folder):
            for _ in range(rounds):
                for peer in PEERS:
                    with contextlib.suppress(Missing):
                        for key, values in _round(peer, folder, loads).items():
                            found.setdefault((peer.label, key), []).append(values)
    medians = {
        where: {key: statistics.median(one[key] for one in some) for key in some[0]}
        for where, some in found.items()
    }
    text = page(medians, [peer.label for peer in PEERS], rounds, load)
    if set(loads) == set(_RUNS) and {load for _, load in medians} == set(LOADS):
        PAGE.write_text(text)
    print(text)
    return 0
