"""A container as an engine lists it. Pure.

Only what every engine tells is read (Docker 20.10 to 29, Podman 4.3 to 5.8): the Engine API's
GET /containers/json, https://docs.docker.com/reference/api/engine/.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["Attachment", "Container", "Published", "read_containers"]

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
NUMBER = "com.docker.compose.container-number"
ONEOFF = "com.docker.compose.oneoff"


class Attachment(NamedTuple):
    """One network of a container: its name and id, and its addresses, each with the length of its
    prefix; an address is empty where the container has none.
    """

    network: str
    id: str
    ipv4: str = ""
    length4: int = 0
    ipv6: str = ""
    length6: int = 0

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Each address with the length of its prefix."""
        both = ((self.ipv4, self.length4), (self.ipv6, self.length6))
        return tuple((address, length) for address, length in both if address)


class Published(NamedTuple):
    """A port of the host that leads to a port of the container; `host` is its listen address."""

    port: int
    proto: str
    public: int
    host: str = ""


class Container(NamedTuple):
    """What is known of one container. `state` is the engine's word (running, exited, paused, ...);
    `sick`: its HEALTHCHECK says that it is unhealthy. `mode` is its network mode where the engine
    tells it: "host", "container:ID", or the name of a network.
    """

    id: str
    names: tuple[str, ...]
    image: str = ""
    state: str = ""
    sick: bool = False
    mode: str = ""
    labels: Mapping[str, str] = MappingProxyType({})
    networks: tuple[Attachment, ...] = ()
    exposed: tuple[tuple[int, str], ...] = ()
    published: tuple[Published, ...] = ()

    @property
    def name(self) -> str:
        """What it is called."""
        return self.names[0] if self.names else self.id[:12]

    @property
    def project(self) -> str:
        """Its Compose project; empty where it has none."""
        return self.labels.get(PROJECT, "")

    @property
    def replica_of(self) -> str:
        """Its Compose service; empty where it has none, or where `compose run` made it."""
        once = self.labels.get(ONEOFF, "").lower() == "true"
        return "" if once else self.labels.get(SERVICE, "")

    @property
    def number(self) -> int:
        """Which of the replicas of its service it is."""
        text = self.labels.get(NUMBER, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def read_containers(entries: object) -> tuple[Container, ...]:
    """Return the containers of an answer of GET /containers/json. Raises ValueError where the text
    is no such answer.
    """
    if not isinstance(entries, list):
        raise ValueError(f"a list was expected, not {type(entries).__name__}")
    return tuple(_read(entry) for entry in entries)


def _read(entry: object) -> Container:
    if not isinstance(entry, dict) or not isinstance(entry.get("Id"), str) or not entry["Id"]:
        raise ValueError("an entry of the list is not a container")
    names = [one.lstrip("/") for one in _texts(entry.get("Names"))]
    labels = entry.get("Labels")
    ports = [one for one in entry.get("Ports") or () if isinstance(one, dict)]
    settings = _mapping(entry.get("NetworkSettings"))
    status = entry.get("Status")
    return Container(
        entry["Id"],
        # A link of another container (`/other/alias`) is not a name of its own.
        tuple(sorted((one for one in names if "/" not in one), key=len)) or tuple(names[:1]),
        str(entry.get("Image") or ""),
        str(entry.get("State") or "").lower(),
        "(unhealthy)" in status if isinstance(status, str) else False,
        str(_mapping(entry.get("HostConfig")).get("NetworkMode") or ""),
        {str(key): str(value) for key, value in _mapping(labels).items()},
        tuple(_networks(_mapping(settings.get("Networks")))),
        tuple(dict.fromkeys((p, t) for p, t, _, _ in _ports(ports))),
        tuple(Published(p, t, public, host) for p, t, public, host in _ports(ports) if public),
    )


def _networks(networks: Mapping[str, Any]) -> Iterable[Attachment]:
    for name, one in networks.items():
        if isinstance(one, dict):
            yield Attachment(
                str(name),
                str(one.get("NetworkID") or ""),
                str(one.get("IPAddress") or ""),
                _number(one.get("IPPrefixLen")),
                str(one.get("GlobalIPv6Address") or ""),
                _number(one.get("GlobalIPv6PrefixLen")),
            )


def _ports(ports: Iterable[Mapping[str, Any]]) -> Iterable[tuple[int, str, int, str]]:
    for one in ports:
        port = _number(one.get("PrivatePort"))
        if port:
            proto = str(one.get("Type") or "tcp").lower()
            yield port, proto, _number(one.get("PublicPort")), str(one.get("IP") or "")


def _number(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 65536 else 0


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
