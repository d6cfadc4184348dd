"""A network of its own with a name server, and a resolver that asks it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dnsmasq import NameServer
from tests.netns import Namespace


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
