"""What joins hosts: forwarding switched on for containers, and a cable between two hosts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir

from .command import run
from .engine import Engine
from .root import locked

FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


@contextmanager
def forwarding() -> Iterator[None]:
    """Switch `net.ipv4.ip_forward` on in the machine's own network, and put it back at the end.

    A new network namespace copies the value from the first one (`devconf_inherit_init_net`
    in Documentation/admin-guide/sysctl/net.rst of Linux), whatever its engine's namespace says.
    Runs side by side each leave a note of what was there; the last one puts it back.
    """
    note = Path(gettempdir(), f"ambassador-forwarding-{os.getpid()}")
    with locked():
        before = next((other.read_text() for other in _notes()), FORWARD.read_text())
        note.write_text(before)
        FORWARD.write_text("1")
    try:
        yield
    finally:
        with locked():
            note.unlink()
            if not _notes():
                FORWARD.write_text(before)


def _notes() -> list[Path]:
    """Return the notes of other runs, and forget those of runs that were killed."""
    notes = list(Path(gettempdir()).glob("ambassador-forwarding-*"))
    for note in notes:
        if not Path("/proc", note.name.rpartition("-")[2]).exists():
            note.unlink()
    return [note for note in notes if note.exists()]


@contextmanager
def cable(first: Engine, second: Engine) -> Iterator[None]:
    """Join two hosts by a veth pair, eth0 on each side, and give each its address, in a /24."""
    ends = {f"bed{engine.pid}": engine for engine in (first, second)}
    here, there = ends
    run(["ip", "link", "add", here, "type", "veth", "peer", "name", there])
    try:
        for link, engine in ends.items():
            run(["ip", "link", "set", link, "netns", str(engine.pid), "name", "eth0"])
            run(engine.inside("ip", "address", "add", f"{engine.address}/24", "dev", "eth0"))
            run(engine.inside("ip", "link", "set", "eth0", "up"))
        yield
    finally:
        run(first.inside("ip", "link", "delete", "eth0"), ok=None)
        run(["ip", "link", "delete", here], ok=None)  # where it had not been moved yet
