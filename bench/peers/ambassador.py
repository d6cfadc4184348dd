"""Ours: the same program with each of its planes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.errors import Missing
from bench.peers.peer import Forward, Limits, Peer

__all__ = ["KERNEL", "RELAY", "RELAY_ALONE", "assignments"]


def assignments(forward: Forward) -> list[str]:
    """Return the link variable that makes the route, and its companion unless all listen."""
    (listen, port), (host, to) = forward.listen, forward.endpoint
    variable = f"{forward.name.upper()}_PORT_{port}_TCP"
    where = [] if listen == "0.0.0.0" else [f"{variable}_LISTEN={listen}:{port}"]
    return [f"{variable}=tcp://{host}:{to}", *where]


def _commands(
    plane: str, program: str, forwards: Sequence[Forward], folder: Path, *options: str
) -> list[list[str]]:
    routes = [part for forward in forwards for part in assignments(forward)]
    admin = str(folder / "admin.sock")
    return [[program, "run", "--plane", plane, "--admin", admin, *options, *routes]]


def relay(
    program: str, forwards: Sequence[Forward], folder: Path, _limits: Limits
) -> list[list[str]]:
    """Return the command with every session in the relay."""
    return _commands("relay", program, forwards, folder)


def relay_alone(
    program: str, forwards: Sequence[Forward], folder: Path, _limits: Limits
) -> list[list[str]]:
    """Return the command with every session in the relay, all in one process."""
    return _commands("relay", program, forwards, folder, "--workers", "0")


def kernel(
    program: str, forwards: Sequence[Forward], folder: Path, _limits: Limits
) -> list[list[str]]:
    """Return the command with packets that pass it by."""
    return _commands("kernel", program, forwards, folder)


def find() -> str:
    """Return the program of the environment that runs the bench."""
    beside = Path(sys.executable).parent / "ambassador"
    program = str(beside) if beside.exists() else shutil.which("ambassador")
    if program is None:
        raise Missing("ambassador is not installed: pip install -e .")
    return program


_ADMIN = ("--admin", "its usual socket, in the folder of the run; nothing is switched off")

RELAY = Peer(
    name="relay",
    label="our relay",
    why="Ambassador with every byte through its sockets.",
    find=find,
    version=lambda program: (program, "--version"),
    commands=relay,
    reasons=(("--plane relay", "without it, routes may take the kernel plane"), _ADMIN),
    ours=True,
)
RELAY_ALONE = Peer(
    name="relay0",
    label="our relay, no workers",
    why="The same in one process, as on a machine with one core.",
    find=find,
    version=lambda program: (program, "--version"),
    commands=relay_alone,
    reasons=(("--workers 0", "by default there is one for each core while sessions are busy"),),
    ours=True,
)
KERNEL = Peer(
    name="kernel",
    label="our kernel plane",
    why="Ambassador with packets forwarded by nftables; the program only watches.",
    find=find,
    version=lambda program: (program, "--version"),
    commands=kernel,
    reasons=(("--plane kernel", "it refuses to start where it cannot keep to that"), _ADMIN),
    ours=True,
)
