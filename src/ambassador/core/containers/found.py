"""Where an endpoint that means containers leads now. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ambassador.core.containers.address import Here, place_of
from ambassador.core.containers.container import Container
from ambassador.core.containers.meaning import meaning
from ambassador.core.containers.port import image_name, port_of
from ambassador.core.containers.views import ContainerView
from ambassador.core.usual_ports import usual_ports
from ambassador.spec import container as spec

__all__ = ["Details", "Found", "find"]


class Details(NamedTuple):
    """What only GET /containers/ID/json tells: Podman's list has no network mode, and only the list
    of Docker's running containers has exposed ports.
    """

    mode: str = ""
    exposed: tuple[tuple[int, str], ...] = ()


# Returns the details of the container with this id; None where the engine has to be asked first.
Detailed = Callable[[str], Details | None]


class Found(NamedTuple):
    """`addresses` of all replicas; where there is none, the `problem`. `wrong`: the endpoint as
    written has to be changed. `asleep`: containers that could be started or unpaused. `unknown`:
    containers whose exposed ports have to be asked for.
    """

    addresses: tuple[str, ...] = ()
    replicas: tuple[ContainerView, ...] = ()
    problem: str = ""
    wrong: bool = False
    asleep: tuple[Container, ...] = ()
    unknown: tuple[str, ...] = ()


def find(
    wanted: spec.Container,
    containers: Iterable[Container],
    here: Here,
    details: Detailed = lambda _id: Details(),
) -> Found:
    """Return where `wanted` leads, by all `containers` of the engine."""
    everything = {one.id: one for one in containers}
    meant = meaning(wanted, everything.values())
    if meant.problem:
        return Found(problem=meant.problem, wrong=meant.wrong)
    replicas: list[ContainerView] = []
    unknown: list[str] = []
    for container in meant.containers:
        one = container
        port, problem, said = wanted.port, "", Details()
        placed = any(n.addresses for n in one.networks)
        if one.state == "running" and ((not port and not one.exposed) or not (placed or one.mode)):
            if (known := details(one.id)) is None:
                unknown.append(one.id)
            said = known or said
            one = one._replace(mode=one.mode or said.mode)
            everything[one.id] = one
        if not port and one.state == "running":
            ports = one.exposed or said.exposed
            usual = [p for p, proto in usual_ports(image_name(one.image)) if proto == wanted.proto]
            port, problem = port_of(ports, wanted.proto, one.image, usual)
        place = place_of(one, wanted, here, everything, port)
        addresses = place.addresses
        if not wanted.port and port:
            addresses = tuple(a if "#" in a else f"{a}#{port}" for a in addresses)
        problem = place.problem or problem
        kept = () if problem else addresses
        replica = ContainerView(
            one.name, one.id, one.state, kept, place.network, problem, place.note
        )
        replicas.append(replica)
    addresses = tuple(dict.fromkeys(a for replica in replicas for a in replica.addresses))
    problem = "" if addresses else "; ".join(dict.fromkeys(r.problem for r in replicas))
    asleep = tuple(c for c in meant.containers if c.state in ("exited", "created", "paused"))
    ipv4_first = tuple(sorted(addresses, key=lambda one: ":" in one))
    return Found(ipv4_first, tuple(replicas), problem, False, asleep, tuple(unknown))
