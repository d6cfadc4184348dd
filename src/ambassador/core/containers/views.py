"""What is shown of containers and engines: plain values, ready for JSON."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ContainerView", "EngineView"]


@dataclass(frozen=True, slots=True)
class ContainerView:
    """A container that an endpoint means: its state in the engine's word, and where clients are led
    to, in which network; or no address, and the `problem`. `note`: what is unusual about it.
    """

    name: str
    id: str
    state: str
    addresses: tuple[str, ...] = ()
    network: str = ""
    problem: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class EngineView:
    """A container engine that is followed: where it is, what it calls itself, the version of its
    API in use; how many `containers` it has, and how old that number is (`age` in seconds; null:
    the engine has never answered). `error`: why it cannot be asked now, empty when it can.
    `problems`: what is wrong with labels.
    """

    engine: str
    server: str
    api: str
    containers: int
    age: float | None
    error: str = ""
    problems: tuple[str, ...] = ()
