"""Containers as an engine lists them, in a few words."""

from __future__ import annotations

from ambassador.core.containers.address import Here
from ambassador.core.containers.container import Attachment, Container, Published
from ambassador.spec.container import Container as Wanted
from ambassador.spec.container import container_of


def container(
    name: str,
    *addresses: str,
    state: str = "running",
    labels: dict[str, str] | None = None,
    network: str = "net",
    **more: object,
) -> Container:
    networks = tuple(
        Attachment(network, f"id-{network}", ipv6=one, length6=64)
        if ":" in one
        else Attachment(network, f"id-{network}", one, 24)
        for one in addresses
    )
    number = f"{abs(hash(name)):064x}"[:64]
    return Container(
        number,
        (name,),
        "redis",
        state,
        labels=labels or {},
        networks=networks,
        **more,  # type: ignore[arg-type]
    )


def replica(project: str, service: str, number: int, *addresses: str, **more: object) -> Container:
    labels = {
        "com.docker.compose.project": project,
        "com.docker.compose.service": service,
        "com.docker.compose.container-number": str(number),
    }
    return container(f"{project}-{service}-{number}", *addresses, labels=labels, **more)  # type: ignore[arg-type]


def wanted(text: str) -> Wanted:
    return container_of(text)


def here(*shared: str, **more: object) -> Here:
    return Here(lambda address, _: address in shared, **more)  # type: ignore[arg-type]


def published(port: int, public: int, host: str = "0.0.0.0", proto: str = "tcp") -> Published:
    return Published(port, proto, public, host)


def replace(one, **more):  # type: ignore[no-untyped-def]
    return one._replace(**more)
