"""What is wrong with containers is told by `check`, `status` and the log of the whole program, and
the other route goes on.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fake_engine import FakeEngine, entry
from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ, is_ready
from tests.wait import until

CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[{"
RUNS = entry("redis", "127.0.0.1")


@contextmanager
def engine(path: Path, prepare: Any) -> Iterator[FakeEngine]:
    """A fake engine on a loop of its own."""
    fake, began, over = FakeEngine(path), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def live() -> None:
        prepare(fake)
        await fake.start()
        began.set()
        await over.wait()
        await fake.stop()

    thread = threading.Thread(target=loop.run_until_complete, args=(live(),))
    thread.start()
    assert began.wait(10)
    try:
        yield fake
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()


def lists(*containers: dict[str, Any], **more: Any) -> Any:
    def prepare(fake: FakeEngine) -> None:
        fake.containers = list(containers)
        for name, value in more.items():
            setattr(fake, name, value)

    return prepare


def service(project: str) -> dict[str, Any]:
    labels = {
        "com.docker.compose.project": project,
        "com.docker.compose.service": "web",
        "com.docker.compose.container-number": "1",
    }
    return entry(f"{project}-web-1", "127.0.0.1", Labels=labels)


def labelled(called: str, **labels: str) -> dict[str, Any]:
    return entry(
        called, "127.0.0.1", Labels={f"ambassador.{key}": value for key, value in labels.items()}
    )


def exposes_two(_method: str, path: str) -> tuple[int, Any] | None:
    ports = {"8000/tcp": {}, "9000/tcp": {}}
    return (200, {"Config": {"ExposedPorts": ports}}) if path.count("/") == 3 else None


def forbids_post(method: str, _path: str) -> tuple[int, Any] | None:
    return (403, b"forbidden") if method == "POST" else None


def only_new(_method: str, _path: str) -> tuple[int, Any]:
    return 400, {"message": "client version 1.44 is too old. Minimum supported API version is 1.44"}


CASES: dict[str, tuple[str, Any, str]] = {
    "unknown": ("docker://rdis:6379", lists(RUNS), 'called rdis, did you mean \\"redis\\"?'),
    "ambiguous": (
        "docker://web:80",
        lists(service("blog"), service("shop")),
        "docker://web.blog, docker://web.shop",
    ),
    "another network": (
        "docker://redis:6379",
        lists(entry("redis", "203.0.113.7")),
        "no network in common: redis is in net, and this host in none of them",
    ),
    "a network it is not in": (
        "docker://redis:6379?network=back",
        lists(RUNS),
        "redis is in no network back, only in net",
    ),
    "two exposed": (
        "docker://app",
        lists(entry("app", "127.0.0.1", Image="app"), answer=exposes_two),
        "8000/tcp, 9000/tcp",
    ),
    "stopped": ("docker://redis:6379", lists(entry("redis", state="exited")), "redis is exited"),
    "paused": ("docker://redis:6379", lists(entry("redis", state="paused")), "redis is paused"),
    "too old": ("docker://redis:6379", lists(RUNS, maximum="1.23"), "its API 1.23 is too old"),
    "too new": ("docker://redis:6379", lists(RUNS, answer=only_new), "takes no version of its API"),
    "no JSON": ("docker://redis:6379", lists(RUNS, raw=b"HTTP/1.1 200 OK\r\n\r\nhello"), "no JSON"),
    "cut": ("docker://redis:6379", lists(RUNS, raw=CUT), "is cut"),
    "no HTTP": ("docker://redis:6379", lists(RUNS, raw=b"-ERR what?\r\n\r\n"), "speaks no HTTP"),
    "POST forbidden": (
        "docker://redis:6379?wake",
        lists(RUNS, answer=forbids_post),
        "a proxy has to allow POST /v1.*/containers/redis/start",
    ),
}  # fmt: skip


def environ(tmp_path: Path, **more: str) -> dict[str, str]:
    return clean_environ(
        AMBASSADOR_DOCKER=f"unix://{tmp_path}/s", AMBASSADOR_ADMIN=str(tmp_path / "admin"), **more
    )


def checked(variables: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        (*COMMAND, "check"), capture_output=True, text=True, env=variables, timeout=60, check=False
    )
    return done.returncode, json.dumps(done.stdout + done.stderr)


def shown(admin: Path, *verb: str) -> str:
    words = (*COMMAND, *verb, f"--admin={admin}")
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False).stdout


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_told_where_one_looks_and_the_other_route_works(
    tmp_path: Path, case: str
) -> None:
    endpoint, prepare, words = CASES[case]
    listen = f"unix://{tmp_path}/x" if case == "two exposed" else f"127.0.0.1:{free_port()}"
    (tmp_path / "toml").write_text(
        f'[route.x]\nlisten = "{listen}"\nendpoints = "{endpoint}"\n'
        f'[route.good]\nlisten = "127.0.0.1:{free_port()}"\nendpoints = "tcp://127.0.0.1:9"\n'
    )
    variables = environ(tmp_path, AMBASSADOR_CONFIG=str(tmp_path / "toml"))
    with engine(tmp_path / "s", prepare) as fake:
        code, said = checked(variables)
        assert (code, words in said) == (2, True), said
        if case == "POST forbidden":  # known while it runs only by `check`, which asks
            fake.containers = [entry("redis", state="exited")]
        with Program(**variables) as program:
            program.started()
            until(lambda: is_ready(tmp_path / "admin"), 15, "it is ready")
            if case == "POST forbidden":
                _knock(listen)

            def told() -> bool:
                # What stands after a comma may be cut in a table.
                return words in shown(tmp_path / "admin", "status", "--json")

            until(told, 15, f"status says {words!r}: {shown(tmp_path / 'admin', 'status')}")
            if case not in ("too old", "too new", "no JSON", "cut", "no HTTP"):  # first after 5 s
                until(lambda: words in json.dumps(program.events), 15, f"the log: {program.events}")
            assert "GOOD" in shown(tmp_path / "admin", "status").upper()
            assert program.stop() == 0


def _knock(listen: str) -> None:
    import socket  # noqa: PLC0415

    host, _, port = listen.rpartition(":")
    with socket.create_connection((host, int(port)), 5):
        pass


def test_what_labels_say_wrong_is_told_and_no_route_is_lost(tmp_path: Path) -> None:
    one, two = (str(free_port()) for _ in range(2))
    containers = (
        labelled("a", name="x", listen=one, connect="1s"),
        labelled("b", name="x", listen=one, connect="2s"),
        labelled("c", listen=one),
        labelled("d", listen=two),
        labelled("e", listen="99999"),
    )
    wrong = (
        "container b: contradicts container a",
        f"container c: wants :{one}, which container a has already",
        "container e: ambassador.listen: the port 99999",
    )
    variables = environ(tmp_path, AMBASSADOR_DOCKER_LABELS="1")
    with engine(tmp_path / "s", lists(*containers)):
        code, said = checked(variables)
        assert code == 0  # the others work
        assert [words for words in wrong if words not in said] == [], said
        with Program(**variables) as program:
            program.started()
            until(lambda: is_ready(tmp_path / "admin"), 15, "it is ready")
            status = shown(tmp_path / "admin", "status", "--json")
            assert [words for words in wrong if words not in status] == [], status
            log = json.dumps(program.events)
            assert [words for words in wrong if words not in log] == [], log
            names = {route["name"] for route in json.loads(status)["routes"]}
            assert names == {"x", "d"}
            assert program.stop() == 0


def test_an_engine_that_is_away_is_told_after_a_while_with_its_cause(tmp_path: Path) -> None:
    variables = environ(
        tmp_path,
        X_PORT_6379_TCP="docker://redis",
        X_PORT_6379_TCP_LISTEN=f"127.0.0.1:{free_port()}",
    )
    code, said = checked(variables)
    assert (code, "there is no such socket" in said) == (2, True)
    with Program(**variables) as program:
        assert "there is no such socket" in program.wait_for("engine_away")
        assert "there is no such socket" in shown(tmp_path / "admin", "status", "--json")
        assert program.stop() == 0
