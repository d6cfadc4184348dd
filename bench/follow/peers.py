"""The go-betweens in front of the set; what cannot be had is left out."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from bench.follow.front import Front
from bench.follow.redisset import HOST, NAME, RedisSet, ask, until
from bench.follow.writers import Connect

__all__ = ["GROUPS", "PEERS", "Peer"]

Peer = Callable[[RedisSet, Path, Front], AbstractContextManager[Connect]]
_PORT = 7000
_HAPROXY = """
defaults
  mode tcp
  timeout connect 1s
  timeout client 1h
  timeout server 1h
listen redis
  bind :{port}
  option tcp-check
  tcp-check send PING\\r\\n
  tcp-check expect string +PONG
  tcp-check send info\\ replication\\r\\n
  tcp-check expect string role:master
  tcp-check send QUIT\\r\\n
  tcp-check expect string +OK
"""


@contextmanager
def _running(words: list[str], log: Path, front: Front, **environ: str) -> Iterator[Connect]:
    def connect() -> socket.socket:
        return socket.create_connection((front.address, _PORT), 20)

    with log.open("wb") as output:
        process = subprocess.Popen(
            front.inside(*words), stdout=output, stderr=output, env={**os.environ, **environ}
        )
        try:
            until(lambda: ask(_PORT, "PING", host=front.address) == "PONG", words[0])
            yield connect
        finally:
            process.terminate()
            process.wait()


def _ambassador(promote: str, plane: str) -> Peer:
    @contextmanager
    def run(redis: RedisSet, folder: Path, front: Front) -> Iterator[Connect]:
        members = ",".join(f"{HOST}:{port}" for port in redis.sentinels)
        environ = {
            f"REDIS_PORT_{_PORT}_TCP_FOLLOW": f"sentinel://{members}/{NAME}",
            f"REDIS_PORT_{_PORT}_TCP_PROMOTE": promote,
            "AMBASSADOR_PLANE": plane,
            "AMBASSADOR_ADMIN": "off",
            "AMBASSADOR_GRACE": "0s",
        }
        words = [sys.executable, "-m", "ambassador", "run"]
        log = folder / f"ambassador.{plane}.log"
        with _running(words, log, front, **environ) as connect:
            yield connect

    return run


def _haproxy(cut: bool) -> Peer:
    @contextmanager
    def run(redis: RedisSet, folder: Path, front: Front) -> Iterator[Connect]:
        more = " fall 1 rise 1 on-marked-down shutdown-sessions" if cut else ""
        lines = [f"  server r{port} {HOST}:{port} check inter 1s{more}\n" for port in redis.servers]
        path = folder / "haproxy.cfg"
        path.write_text(_HAPROXY.format(port=_PORT) + "".join(lines))
        words = ["haproxy", "-db", "-f", str(path)]
        with _running(words, folder / "haproxy.log", front) as connect:
            yield connect

    return run


@contextmanager
def _client(redis: RedisSet, _folder: Path, _front: Front) -> Iterator[Connect]:
    """redis-py asks the sentinels itself: each connection is to the primary they name."""
    found: Any = importlib.import_module("redis.sentinel")  # of the extra `test`
    sentinel = found.Sentinel([(HOST, port) for port in redis.sentinels], socket_timeout=0.5)

    def connect() -> socket.socket:
        try:
            return socket.create_connection(sentinel.discover_master(NAME), 20)
        except Exception as error:
            raise OSError(str(error)) from error

    yield connect


def _found() -> dict[str, Peer]:
    peers = {
        "relay plane": _ambassador("confirmed", "relay"),
        "kernel plane": _ambassador("confirmed", "kernel"),
        "relay plane, fast": _ambassador("fast", "relay"),
        "kernel plane, fast": _ambassador("fast", "kernel"),
    }
    if shutil.which("haproxy"):
        peers["HAProxy, role:master"] = _haproxy(cut=False)
        peers["HAProxy, role:master, sessions cut"] = _haproxy(cut=True)
    if importlib.util.find_spec("redis"):
        peers["redis-py asks for the primary"] = _client
    return peers


PEERS = _found()
_OURS = ("relay plane", "kernel plane")
# Which stand in front of one set at once, by a word for them.
GROUPS: dict[str, tuple[tuple[str, ...], ...]] = {
    "confirmed": (_OURS,),
    "fast": (tuple(f"{one}, fast" for one in _OURS),),
    "others": tuple((one,) for one in PEERS if not one.startswith(_OURS)),
}
