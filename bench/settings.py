"""The peers' settings as the document shows them. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.peers import PEERS
from bench.peers.peer import Forward, Limits, Peer

__all__ = ["peer_settings"]

_EXAMPLE = [Forward(("127.0.0.1", 7000), ("127.0.0.1", 6379))]
_FOLDER = Path("/run/bench")


def peer_settings(versions: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of the section, on the example of one route and two cores."""
    yield "## Settings of the peers, and why"
    yield ""
    yield "Everything not said here is the default. `./dev bench run PEER` starts one as shown."
    yield ""
    for peer in PEERS.values():
        version = versions.get(peer.name, "")
        yield f"### {peer.label} {version}".rstrip()
        yield ""
        yield peer.why
        yield ""
        yield from _one(peer)


def _one(peer: Peer) -> Iterator[str]:
    program = "ambassador" if peer.ours else peer.name
    commands = peer.commands(program, _EXAMPLE, _FOLDER, Limits())
    if not commands:
        return
    yield "```"
    yield from (shlex.join(command) for command in commands)
    yield "```"
    yield ""
    for name, text in peer.files(_EXAMPLE, _FOLDER, Limits()).items():
        yield f"`{name}`:"
        yield ""
        yield "```"
        yield text.rstrip()
        yield "```"
        yield ""
    for setting, reason in peer.reasons:
        yield f"- `{setting}`: {reason}."
    if peer.reasons:
        yield ""
