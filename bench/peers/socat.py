"""socat, as the original ambassador image ran it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from bench.peers.peer import Forward, Limits, Peer, on_path

__all__ = ["PEER"]


def commands(
    program: str, forwards: Sequence[Forward], _folder: Path, _limits: Limits
) -> list[list[str]]:
    """Return one socat a route, as the image's shell script started them."""
    return [
        [
            program,
            *("-t", "100000000"),
            f"TCP4-LISTEN:{forward.listen[1]},fork,reuseaddr",
            f"TCP4:{forward.endpoint[0]}:{forward.endpoint[1]}",
        ]
        for forward in forwards
    ]


PEER = Peer(
    name="socat",
    label="socat",
    why="What the original ambassador image was made of, with exactly its options.",
    find=lambda: on_path(shutil.which, "socat", "socat"),
    version=lambda program: (program, "-V"),
    commands=commands,
    reasons=(
        ("-t 100000000", "as the original: one direction may stay open for years"),
        ("fork", "as the original: a process for each session"),
        (
            "no backlog=",
            "as the original: its 5 loses connections when 50 come at once, which shows",
        ),
    ),
    process_a_session=True,
)
