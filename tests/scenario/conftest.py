"""Two hosts and a wire: clients, the ambassador and a name server here, endpoints far away."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dnsmasq import NameServer
from tests.netns import Namespace
from tests.program import Program, with_etc
from tests.relay.peers import Peers
from tests.scenario.upgrading import Run

OLD, NEW, OLD6 = "10.9.0.1", "10.9.0.2", "fd09::1"
SILENT = "10.9.0.3"  # takes what it is sent and never says a word


@pytest.fixture
def run(peers: Peers, tmp_path: Path) -> Iterator[Run]:
    """Start ambassadors at one admin socket, in front of one endpoint; all end."""
    run = Run(peers, tmp_path)
    yield run
    for program in run.programs:
        with program:
            pass


@pytest.fixture(scope="package")
def net() -> Iterator[Namespace]:
    net = Namespace()
    yield net
    net.close()


@pytest.fixture(scope="package")
def far(net: Namespace) -> Iterator[Namespace]:
    """The other host, with the addresses OLD, NEW and OLD6."""
    far = Namespace()
    here = ("10.9.0.254/24", "fd09::254/64")
    net.join(far, here, (f"{OLD}/24", f"{NEW}/24", f"{OLD6}/64"))
    net.swallow(SILENT)
    yield far
    far.close()


@pytest.fixture
def start_dns(net: Namespace, tmp_path: Path) -> Iterator[Callable[..., NameServer]]:
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
def hosts_file(tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text("127.0.0.1 localhost\n")
    return path


@pytest.fixture
def start(net: Namespace, tmp_path: Path, hosts_file: Path) -> Iterator[Callable[..., Program]]:
    """Start programs in the namespace, with its name server and hosts file; all end."""
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text("nameserver 127.0.0.1\noptions ndots:0\n")
    programs: list[Program] = []

    def start(*arguments: str, **environ: str) -> Program:
        before = with_etc(resolv_conf, hosts_file)
        programs.append(Program(*arguments, net=net, before=before, **environ))
        return programs[-1]

    yield start
    for program in programs:
        with program:
            pass
