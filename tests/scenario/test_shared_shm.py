"""Two containers that share /dev/shm, as those of a pod do (moby#12046, podman#8181)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.program import COMMAND, clean_environ
from tests.wait import until

pytestmark = pytest.mark.root

_BOX = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_SHARE = """
mount --make-rprivate /
mount --bind "$1" /dev/shm
mount -t tmpfs -o ro none /run
shift
exec "$@"
"""


class Container:
    """File systems and processes of its own, but for /dev/shm."""

    def __init__(self, shm: Path, name: str) -> None:
        self._before = (*_BOX, "sh", "-ec", _SHARE, "sh", str(shm))
        self._name = name
        self._running: subprocess.Popen[bytes] | None = None
        self._log = shm.parent / f"{name}.log"

    def run(self) -> None:
        """Start an ambassador in it, which finds a place for its admin socket by itself."""
        environ = clean_environ()
        environ.pop("XDG_RUNTIME_DIR", None)
        with self._log.open("wb") as log:
            self._running = subprocess.Popen(
                (*self._before, *COMMAND, "run", "--grace", "0",
                 f"{self._name.upper()}_PORT_{free_port()}_TCP=tcp://127.0.0.1:1"),
                env=environ,
                stderr=log,
            )  # fmt: skip

    def ask(self, *verb: str) -> subprocess.CompletedProcess[str]:
        """Run a verb in the container: `docker exec`, where it runs."""
        environ = clean_environ()
        environ.pop("XDG_RUNTIME_DIR", None)
        before = self._before
        if self._running is not None:
            pid = self._running.pid
            children = Path(f"/proc/{pid}/task/{pid}/children")
            (child,) = until(lambda: children.read_text().split())
            before = ("nsenter", "--target", child, "--mount", "--pid", "--")
        command = (*before, *COMMAND, *verb)
        options = {"env": environ, "capture_output": True, "text": True, "timeout": 60}
        return subprocess.run(command, check=False, **options)

    def close(self) -> None:
        if self._running is not None:
            self._running.kill()
            self._running.wait()


@pytest.fixture
def containers(tmp_path: Path) -> Iterator[tuple[Container, Container]]:
    shm = tmp_path / "shm"
    shm.mkdir()
    shm.chmod(0o1777)
    both = Container(shm, "first"), Container(shm, "second")
    yield both
    for one in both:
        one.close()


def test_a_container_is_not_answered_by_the_ambassador_of_another(containers):
    first, second = containers
    first.run()
    until(lambda: first.ask("healthcheck").returncode == 0, 20)
    done = second.ask("healthcheck")
    assert done.returncode == 1
    assert "is of another container" in done.stderr
    assert second.ask("hold", "first").returncode == 7
    assert '"hold": null' in first.ask("status", "--json").stdout


def test_each_container_reaches_its_own_ambassador(containers):
    for one in containers:
        one.run()
        until(lambda one=one: one.ask("healthcheck").returncode == 0, 20)
    first, second = containers
    assert second.ask("hold", "first").returncode == 3  # no such route here
    assert second.ask("hold", "second").returncode == 0
    assert "second" not in first.ask("status").stdout
    assert first.ask("hold", "first").returncode == 0
