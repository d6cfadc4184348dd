"""docs/moving.md: the steps of a Redis, typed as they stand there, under a client that counts."""

import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
import redis

from ambassador.admin import client
from ambassador.core.commands import Status
from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ, is_ready
from tests.wait import until

PAGE = Path(__file__).parents[2] / "docs" / "moving.md"

pytestmark = pytest.mark.skipif(
    not shutil.which("redis-server"), reason="needs redis-server: ./dev test as root"
)


def steps() -> list[str]:
    """Return what the page says to type for a Redis."""
    section = PAGE.read_text().partition("## A Redis\n")[2].partition("\n## ")[0]
    found = re.findall(r"^ {5,}((?:redis-cli|ambassador) .*)$", section, re.M)
    return [line.strip() for line in found]


@pytest.fixture
def servers(tmp_path):
    """Start the old one and the new one."""
    ports = {name: free_port() for name in ("old", "new")}
    running = [
        subprocess.Popen(
            ["redis-server", "--port", str(port), "--save", "", "--dir", str(tmp_path)],
            stdout=subprocess.DEVNULL,
        )
        for port in ports.values()
    ]
    for port in ports.values():
        until(lambda port=port: answers(port), 20)
    yield ports
    for one in running:
        one.kill()
        one.wait()


def answers(port: int) -> bool:
    try:
        return bool(redis.Redis(port=port).ping())
    except redis.ConnectionError:
        return False


def typed(line: str, ports: dict[str, int], admin: Path) -> str:
    """Type a line, with the ports of this machine in the place of the page's two hosts."""
    line, _, seen = line.partition("  #")
    for name, port in ports.items():
        line = line.replace(f"-h {name} ", f"-p {port} ")
        line = line.replace(f"{name} 6379", f"127.0.0.1 {port}")
        line = line.replace(f"//{name}:6379", f"//127.0.0.1:{port}")
    words = line.split()
    command = [*COMMAND, *words[1:]] if words[0] == "ambassador" else words
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environ(AMBASSADOR_ADMIN=str(admin)),
    )
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    word = " ".join(seen.split()[:2])  # what comes after it is of the moment
    assert seen.startswith(" master_link") or word in done.stdout, (line, done.stdout)
    return done.stdout


def test_the_steps_of_a_redis_lose_nothing_and_refuse_nobody(servers, tmp_path):
    admin, port, ends = tmp_path / "admin.sock", free_port(), threading.Event()
    acknowledged, errors = [0], []

    def count() -> None:
        while not ends.is_set():
            try:
                with redis.Redis(port=port, socket_timeout=30, retry=None) as one:
                    while not ends.is_set():
                        acknowledged[0] = one.incr("visits")
                        ends.wait(0.001)
            except redis.ConnectionError as error:
                if "refused" in str(error):
                    errors.append(error)
            except redis.RedisError as error:
                errors.append(error)

    assignment = f"REDIS_PORT_{port}_TCP=tcp://127.0.0.1:{servers['old']}"
    with Program(assignment, AMBASSADOR_ADMIN=str(admin)):
        until(lambda: is_ready(admin), 30)
        counting = threading.Thread(target=count)
        counting.start()
        try:
            replicate, look, *others = steps()
            typed(replicate, servers, admin)
            until(lambda: "master_link_status:up" in typed(look, servers, admin), 30)
            for line in others:
                typed(line, servers, admin)
            new = redis.Redis(port=servers["new"])
            before = int(new.get("visits"))
            until(lambda: int(new.get("visits")) > before, 20, "counted at the new one")
        finally:
            ends.set()
            counting.join()
        (route,) = client.ask(admin, Status()).routes
        assert route.hold is None
        assert errors == []
        assert int(new.get("visits")) >= acknowledged[0]
