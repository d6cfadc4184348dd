"""A network of its own with a name server, and a resolver that asks it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from ambassador.resolve import question
from ambassador.resolve.answer import Answer
from ambassador.resolve.dns import NameServers
from ambassador.resolve.hosts import HostsFile
from ambassador.resolve.resolver import NameResolver
from tests.clock import LoopWithClock
from tests.dnsmasq import NameServer
from tests.netns import Namespace
from tests.scripted import Said, ScriptedServer

Scenario = Callable[[NameResolver], Coroutine[Any, Any, None]]
Say = Callable[[str, str, bool], Said]


@pytest.fixture(scope="package")
def net() -> Iterator[Namespace]:
    net = Namespace()
    yield net
    net.close()


@pytest.fixture
def start_dns(net: Namespace, tmp_path: Path) -> Iterator[Callable[..., NameServer]]:
    """Start name servers; all are gone in the end."""
    if not shutil.which("dnsmasq"):
        pytest.skip("needs dnsmasq: ./dev test")
    started: list[NameServer] = []

    def start(*options: str, **named: object) -> NameServer:
        started.append(NameServer(net, tmp_path, *options, **named))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def dns(start_dns: Callable[..., NameServer]) -> NameServer:
    return start_dns()


@pytest.fixture
def resolv_conf(tmp_path: Path) -> Path:
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 127.0.0.1\n")
    return path


@pytest.fixture
def hosts_file(tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n")
    return path


@pytest.fixture
def serve(net: Namespace) -> Iterator[Callable[..., ScriptedServer]]:
    """Start name servers that say what a test wants."""
    servers: list[ScriptedServer] = []

    def serving(say: Say, **named: Any) -> ScriptedServer:
        servers.append(ScriptedServer(net, say, **named))
        return servers[-1]

    yield serving
    for one in servers:
        one.stop()


@pytest.fixture
def ask(net: Namespace, resolv_conf: Path) -> Callable[[str], Answer]:
    return lambda name: net.run_loop(NameServers(resolv_conf).ask(name))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for name servers that do not answer only as long as a test may."""
    for name in ("_ONE_QUERY", "_PER_NAME", "_OTHER_KIND"):
        monkeypatch.setattr(question, name, 0.3)
    monkeypatch.setattr(question, "_ALL_QUERIES", 0.4)
    monkeypatch.setattr(question, "_AGAIN", 0.1)


@pytest.fixture
def scenario(net: Namespace, hosts_file: Path, resolv_conf: Path) -> Callable[[Scenario], None]:
    """Run a scenario with a resolver, by a clock that the test puts forward."""

    def run(main: Scenario) -> None:
        async def work() -> None:
            resolver = NameResolver(HostsFile(hosts_file), NameServers(resolv_conf))
            try:
                await main(resolver)
            finally:
                resolver.close()

        net.run_loop(work(), LoopWithClock)

    return run
