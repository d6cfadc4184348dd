"""Envoy with its TCP proxy filter."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.errors import Missing
from bench.peers.peer import Forward, Limits, Peer

__all__ = ["PEER", "configuration"]

_TCP_PROXY = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"


def configuration(forwards: Sequence[Forward], limits: Limits) -> str:
    """Return envoy.json: everything static, no admin listener."""
    resources = {
        "listeners": [_listener(forward) for forward in forwards],
        "clusters": [_cluster(forward, limits.sessions(len(forwards))) for forward in forwards],
    }
    return json.dumps({"static_resources": resources}, indent=1)


def _address(place: tuple[str, int]) -> dict[str, Any]:
    return {"socket_address": {"address": place[0], "port_value": place[1]}}


def _listener(forward: Forward) -> dict[str, Any]:
    proxy = {
        "@type": _TCP_PROXY,
        "stat_prefix": forward.name,
        "cluster": forward.name,
        "idle_timeout": "0s",
    }
    return {
        "name": forward.name,
        "address": _address(forward.listen),
        "tcp_backlog_size": 4096,
        "filter_chains": [{"filters": [{"name": "tcp", "typed_config": proxy}]}],
    }


def _cluster(forward: Forward, sessions: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(forward.endpoint)}}
    most = {"max_connections": sessions, "max_pending_requests": sessions}
    return {
        "name": forward.name,
        "type": "STATIC",
        "connect_timeout": "10s",
        "circuit_breakers": {"thresholds": [most]},
        "load_assignment": {
            "cluster_name": forward.name,
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }


def find() -> str:
    """Return the program inside the wheel (the script beside Python would start Python first)."""
    package = importlib.util.find_spec("envoy")
    for folder in (package.submodule_search_locations or ()) if package else ():
        program = Path(folder) / "_bin" / "envoy"
        if program.exists():
            return str(program)
    raise Missing("envoy is not installed: pip install -r bench/requirements.txt")


def files(forwards: Sequence[Forward], _folder: Path, limits: Limits) -> Mapping[str, str]:
    """Return the one file it reads."""
    return {"envoy.json": configuration(forwards, limits)}


def commands(
    program: str, _forwards: Sequence[Forward], folder: Path, limits: Limits
) -> list[list[str]]:
    """Return one command."""
    return [
        [
            program,
            *("-c", str(folder / "envoy.json")),
            *("--concurrency", str(limits.workers)),
            "--disable-hot-restart",
            *("--log-level", "error"),
        ]
    ]


PEER = Peer(
    name="envoy",
    label="Envoy",
    why="The proxy of service meshes.",
    find=find,
    version=lambda program: (program, "--version"),
    commands=commands,
    files=files,
    reasons=(
        ("--concurrency 2", "a worker for each core"),
        ("--disable-hot-restart", "it shares memory by a number that every copy on a host has"),
        ("idle_timeout 0s", "an idle session is not to be closed while it is measured"),
        ("max_connections", "its default of 1024 would refuse what the larger loads open"),
        ("tcp_backlog_size", "50 clients come at once"),
    ),
)
