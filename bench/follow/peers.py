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

from bench.follow.redisset import NAME, RedisSet, ask, until
from bench.follow.writers import Connect

__all__ = ["PEERS", "Peer"]

Peer = Callable[[RedisSet, Path], AbstractContextManager[Connect]]
_PORT = 7000
_HAPROXY = """
defaults
  mode tcp
  timeout connect 1s
  timeout client 1h
  timeout server 1h
listen redis
  bind 127.0.0.1:{port}
  option tcp-check
  tcp-check send PING\\r\\n
  tcp-check expect string +PONG
  tcp-check send info\\ replication\\r\\n
  tcp-check expect string role:master
  tcp-check send QUIT\\r\\n
  tcp-check expect string +OK
"""


def _connect() -> socket.socket:
    return socket.create_connection(("127.0.0.1", _PORT), 20)


@contextmanager
def _running(words: list[str], log: Path, **environ: str) -> Iterator[Connect]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            words, stdout=output, stderr=output, env={**os.environ, **environ}
        )
        try:
            until(lambda: ask(_PORT, "PING") == "PONG", words[0])
            yield _connect
        finally:
            process.kill()
            process.wait()


def _ambassador(promote: str) -> Peer:
    @contextmanager
    def run(redis: RedisSet, folder: Path) -> Iterator[Connect]:
        members = ",".join(f"127.0.0.1:{port}" for port in redis.sentinels)
        environ = {
            f"REDIS_PORT_{_PORT}_TCP_FOLLOW": f"sentinel://{members}/{NAME}",
            f"REDIS_PORT_{_PORT}_TCP_PROMOTE": promote,
            "AMBASSADOR_PLANE": "relay",
            "AMBASSADOR_ADMIN": "off",
        }
        words = [sys.executable, "-m", "ambassador", "run"]
        with _running(words, folder / "ambassador.log", **environ) as connect:
            yield connect

    return run


def _haproxy(cut: bool) -> Peer:
    @contextmanager
    def run(redis: RedisSet, folder: Path) -> Iterator[Connect]:
        more = " fall 1 rise 1 on-marked-down shutdown-sessions" if cut else ""
        lines = [
            f"  server r{port} 127.0.0.1:{port} check inter 1s{more}\n" for port in redis.servers
        ]
        path = folder / "haproxy.cfg"
        path.write_text(_HAPROXY.format(port=_PORT) + "".join(lines))
        words = ["haproxy", "-db", "-f", str(path)]
        with _running(words, folder / "haproxy.log") as connect:
            yield connect

    return run


@contextmanager
def _client(redis: RedisSet, _folder: Path) -> Iterator[Connect]:
    """redis-py asks the sentinels itself: each connection is to the primary they name."""
    found: Any = importlib.import_module("redis.sentinel")  # of the extra `test`
    sentinel = found.Sentinel([("127.0.0.1", port) for port in redis.sentinels], socket_timeout=0.5)

    def connect() -> socket.socket:
        try:
            return socket.create_connection(sentinel.discover_master(NAME), 20)
        except Exception as error:
            raise OSError(str(error)) from error

    yield connect


def _found() -> dict[str, Peer]:
    peers = {"ambassador": _ambassador("confirmed"), "ambassador, fast": _ambassador("fast")}
    if shutil.which("haproxy"):
        peers["HAProxy, role:master"] = _haproxy(cut=False)
        peers["HAProxy, role:master, sessions cut"] = _haproxy(cut=True)
    if importlib.util.find_spec("redis"):
        peers["redis-py asks for the primary"] = _client
    return peers


PEERS = _found()
