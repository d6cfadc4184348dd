"""What was decided last for a followed route, as it is kept over a restart and an upgrade."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from ambassador.errors import ConfigError
from ambassador.model import Inet, Proto, Route, RouteKey
from ambassador.spec import format_address, parse_endpoint, parse_listen
from ambassador.spec.follow import format_follow

__all__ = ["Memories", "Memory", "decode", "encode", "followed"]

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Memory:
    """`primary` was in use, by what the authority `of` said; for another authority this memory does
    not count. `data` is what only a follower of that kind can read.
    """

    of: str
    primary: Inet
    data: str


Memories = Mapping[RouteKey, Memory]


def followed(route: Route) -> str:
    """Return what `route` follows, as a memory names it."""
    return format_follow(route.follow) if route.follow else route.health


def encode(memories: Memories) -> str:
    """Return `memories` as text."""
    routes = [
        {
            "proto": proto.value,
            "listen": format_address(listen),
            "of": memory.of,
            "primary": format_address(memory.primary),
            "data": memory.data,
        }
        for (proto, listen), memory in memories.items()
    ]
    return json.dumps({"version": _VERSION, "routes": routes}, indent=2) + "\n"


def decode(text: str) -> Memories:
    """Return the memories of `text`. Raises ValueError where it makes no sense."""
    try:
        whole = json.loads(text)
        if whole["version"] != _VERSION:
            raise ValueError(f"is of version {whole['version']}, this program reads {_VERSION}")
        return dict(map(_memory, whole["routes"]))
    except ConfigError as error:
        raise ValueError(error.problems[0].what) from None
    except (AttributeError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"is damaged: {error!r}") from None


def _memory(plain: Mapping[str, object]) -> tuple[RouteKey, Memory]:
    primary = parse_endpoint(f"tcp://{plain['primary']}").address
    if not isinstance(primary, Inet) or primary.last:
        raise ValueError(f"{plain['primary']} is not an address of a primary")
    key = Proto(str(plain["proto"])), parse_listen(str(plain["listen"]))
    return key, Memory(str(plain["of"]), primary, str(plain["data"]))
