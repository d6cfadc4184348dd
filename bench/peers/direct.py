"""No go-between at all: what the machine, the client and the service can do."""

from __future__ import annotations

from bench.peers.peer import Peer

__all__ = ["PEER"]

PEER = Peer(
    name="direct",
    label="direct",
    why="The client talks to the service itself; every ratio to direct is a ratio to this.",
    find=lambda: "",
    version=lambda _program: (),
    commands=lambda _program, _forwards, _folder, _limits: [],
)
