"""Each seam stands in ports.py and has a suite in tests/contract that names it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house.imports import imported

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "ambassador"


def protocols(path: Path) -> set[str]:
    """Return the names of the protocols that a module defines."""
    return {
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
    }


def told(path: Path) -> set[str]:
    """Return the names of the types of functions that a module defines."""
    return {
        target.id
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Subscript)
        and isinstance(node.value.value, ast.Name)
        and node.value.value.id == "Callable"
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def test_each_seam_has_a_suite_that_names_it():
    suites = "".join(path.read_text() for path in (ROOT / "tests" / "contract").glob("test_*.py"))
    seams = protocols(PACKAGE / "ports.py") | told(PACKAGE / "ports.py")
    assert {"Plane", "SessionEnded"} <= seams
    assert sorted(name for name in seams if f"ports.{name}" not in suites) == []


def test_what_is_a_seam_between_rooms_stands_in_ports():
    """A protocol of another module is of its own room only: no other room imports it."""
    modules = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
        for path in PACKAGE.rglob("*.py")
    }
    owners = {
        f"ambassador.{module}.{name}": module
        for module, path in modules.items()
        if module != "ports"
        for name in protocols(path)
    }
    crossing = [
        f"{module} imports {name}"
        for module, path in modules.items()
        for name in imported(module, ast.parse(path.read_text()), False)
        if name in owners and owners[name].rpartition(".")[0] != module.rpartition(".")[0]
    ]
    assert crossing == []


# The rooms without a protocol of their own: what is exchanged stands in ports.py, with a suite;
# within a room the class itself, or a type of functions, says as much. See docs/decisions.md for
# the relay, whose classes tell each other of what happens.
_WITHOUT = (
    "admin", "app", "cli", "control", "core", "demo", "handover", "log", "planes.kernel", "probes",
    "resolve", "settings", "sockets", "sources", "spec", "telemetry",
)  # fmt: skip


@pytest.mark.parametrize("room", _WITHOUT)
def test_a_room_has_no_protocol_of_its_own(room):
    modules = sorted((PACKAGE / room.replace(".", "/")).rglob("*.py"))
    assert modules
    assert [f"{path.name}: {name}" for path in modules for name in protocols(path)] == []


# The rooms that have some, each known only there: what a descriptor, a connection that is being
# made, a search and a worker tell, which several classes of the room hear. It only gets shorter.
_WITHIN = {
    "planes.relay": {
        "Attached", "Dialler", "Doorkeeper", "Handed", "Owner", "Pausing", "Ready", "Seeker",
    },
    "follow": {"Asker", "Follower"},
}  # fmt: skip


def test_no_other_room_has_a_protocol_and_these_have_no_more():
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        room = ".".join(path.parent.relative_to(PACKAGE).parts)
        if room and (names := protocols(path)):
            found.setdefault(room, set()).update(names)
    more = {room: names - _WITHIN.get(room, set()) for room, names in found.items()}
    assert {room: names for room, names in more.items() if names} == {}
