"""HAProxy in TCP mode."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.peers.peer import Forward, Limits, Peer, on_path

__all__ = ["PEER", "configuration"]


def configuration(forwards: Sequence[Forward], limits: Limits) -> str:
    """Return haproxy.cfg, the reason behind each setting."""
    parts = [
        f"""\
global
    nbthread {limits.workers}    # as many threads as cores, as it would choose itself
    # What the limit of open files allows; its own default is lower.
    maxconn {limits.sessions(len(forwards))}
    maxpipes 200    # pipes for splicing take files too, and would lower maxconn
defaults
    mode tcp
    option splice-auto    # move bulk without copying it, where it finds that this pays
    timeout connect 10s
    timeout client 1h    # an idle session is not to be closed while it is measured
    timeout server 1h    # the same on the other side
"""
    ]
    parts += [
        f"""\
listen {forward.name}
    bind {forward.listen[0]}:{forward.listen[1]} backlog 4096    # 50 clients come at once
    server s {forward.endpoint[0]}:{forward.endpoint[1]}
"""
        for forward in forwards
    ]
    return "".join(parts)


def files(forwards: Sequence[Forward], _folder: Path, limits: Limits) -> Mapping[str, str]:
    """Return the one file it reads."""
    return {"haproxy.cfg": configuration(forwards, limits)}


def commands(
    program: str, _forwards: Sequence[Forward], folder: Path, _limits: Limits
) -> list[list[str]]:
    """Return one command; -db keeps it in the foreground."""
    return [[program, "-db", "-f", str(folder / "haproxy.cfg")]]


PEER = Peer(
    name="haproxy",
    label="HAProxy",
    why="The usual choice for TCP where speed counts.",
    find=lambda: on_path(shutil.which, "haproxy", "haproxy"),
    version=lambda program: (program, "-v"),
    commands=commands,
    files=files,
)
