"""Every test of this folder runs once a plane, in network namespaces of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.conformance.ambassador import Ambassador, Program
from tests.conformance.scene import Scene
from tests.netns import Network

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.root)


@pytest.fixture(params=["relay", "kernel"])
def plane(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.close()


@pytest.fixture
def ambassador(network: Network, plane: str) -> Iterator[Ambassador]:
    ambassador = Ambassador(network, plane)
    yield ambassador
    ambassador.close()


@pytest.fixture
def scene(network: Network, ambassador: Ambassador) -> Iterator[Scene]:
    scene = Scene(network, ambassador)
    yield scene
    scene.close()


@pytest.fixture
def start_program(network: Network, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start programs; all of them are ended."""
    programs: list[Program] = []

    def start(
        plane: str,
        *assignments: str,
        before: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> Program:
        log = tmp_path / f"program{len(programs)}.log"
        own = {"before": before, "environ": environ}
        programs.append(Program(network, plane, log, *assignments, **own))
        return programs[-1]

    yield start
    for program in programs:
        program.kill()
