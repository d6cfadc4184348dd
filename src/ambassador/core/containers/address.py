"""At which address, and port, a container is reached. Pure: the caller asks the kernel about
addresses.

An address counts as near where a packet to it leaves from an address with the same prefix: then
this ambassador shares the network. That was right in every case tried (bridge, several networks,
internal, IPv6 only; in a container, in the host's network, on the host), except macvlan from its
own host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from ambassador.core.containers.container import Attachment, Container
from ambassador.spec import container as spec

__all__ = ["Here", "Place", "place_of"]

_NAMES_OF_HOST = ("", "0.0.0.0", "::")


class Here(NamedTuple):
    """Where this ambassador is. `shared` tells of an address and the length of its prefix whether
    we are in its network; `routed`, whether there is a route to it at all. `host`: we are in the
    network of the engine's host. `own`: the container we run in, if it is one of this engine.
    `gateway`: the default gateway of the network with that id, where it is known. `remote`: the
    name of the engine's host where that is another machine; empty where it is ours. `isolated`:
    networks do not reach each other, as Docker's do not. `rootless`: the engine's networks are in a
    user's namespace, and we are not.
    """

    shared: Callable[[str, int], bool]
    routed: Callable[[str], bool] = lambda _address: False
    host: bool = True
    own: Container | None = None
    gateway: Callable[[], str] = lambda: ""
    remote: str = ""
    isolated: bool = True
    rootless: bool = False


class Place(NamedTuple):
    """Where a container is: its addresses, each with a `#PORT` where the port differs from the
    endpoint's; or no address, and the `problem`, where we cannot reach it. `network`: in which
    network; `note`: what is unusual about it.
    """

    addresses: tuple[str, ...] = ()
    network: str = ""
    problem: str = ""
    note: str = ""


def place_of(
    container: Container,
    wanted: spec.Container,
    here: Here,
    everything: Mapping[str, Container],
    port: int,
) -> Place:
    """Return where `container` is; `port` is the port that is meant, 0 where it is not known.
    `everything` are all containers by id, needed where one shares the network of another.
    """
    if problem := _unfit(container):
        return Place(problem=problem)
    mode = container.mode
    if mode.startswith("container:"):
        other, problem = _other(container, mode.partition(":")[2], everything)
        if other is None:
            return Place(problem=problem)
        found = place_of(other._replace(sick=False), wanted, here, everything, port)
        return found._replace(note=f"in the network of {other.name}") if found.addresses else found
    in_host = mode == "host" or any(n.network == "host" for n in container.networks)
    # For a rootless Docker, the host's network is that of its own namespace; for Podman it is ours.
    apart = here.rootless and (here.isolated or not in_host)
    if outside := here.remote or ("127.0.0.1" if apart else ""):
        return _published(container, outside, port, wanted.proto)
    if in_host:
        return _host(container, here)
    return _reached(container, here, port, wanted)


def _unfit(container: Container) -> str:
    """Return why no client may be led to `container`, wherever it is; empty where one may."""
    if container.state == "paused":
        return f"{container.name} is paused"
    if container.state != "running":
        return f"{container.name} is {container.state or 'not running'}"
    if container.sick:
        return f"{container.name} is unhealthy, says its HEALTHCHECK"
    return ""


def _reached(container: Container, here: Here, port: int, wanted: spec.Container) -> Place:
    networks = [n for n in container.networks if not wanted.network or _is(n, wanted.network)]
    if wanted.network and not networks:
        names = _names(container.networks)
        only = f", only in {names}" if names else ""
        return Place(problem=f"{container.name} is in no network {wanted.network}{only}")
    with_addresses = [n for n in networks if n.addresses]
    for network in with_addresses:
        if found := tuple(a for a, length in network.addresses if here.shared(a, length)):
            return Place(found, network.network)
    # From its host every bridge is near. A network that is not near is in a user's namespace,
    # behind a proxy that does not show it: then a published port is the only way in.
    for network in () if here.isolated or here.host else with_addresses:
        if found := tuple(a for a, _ in network.addresses if here.routed(a)):
            note = f"through a router: no network of ours is {network.network}"
            return Place(found, network.network, note=note)
    if container.published and here.host:
        return _published(container, "127.0.0.1", port, wanted.proto)
    if with_addresses:
        return Place(problem=_apart(container, with_addresses, here))
    no_address = f"{container.name} has no address yet"
    none = f"{container.name} is in no network, and publishes no port"
    return Place(problem=no_address if networks else none)


def _apart(container: Container, networks: Sequence[Attachment], here: Here) -> str:
    theirs = _names(networks)
    if here.own is not None:
        ours = _names(here.own.networks) or here.own.mode or "none"
        return (
            f"no network in common: {container.name} is in {theirs}, this ambassador in {ours}; "
            f"docker network connect {networks[0].network} {here.own.name}"
        )
    text = f"no network in common: {container.name} is in {theirs}, and this host in none of them"
    return f"{text}; of a rootless engine only published ports can be reached"


def _other(
    container: Container, name: str, everything: Mapping[str, Container]
) -> tuple[Container | None, str]:
    """Return the container whose network `container` shares, or what is wrong with it."""
    other = everything.get(name) or next((c for c in everything.values() if name in c.names), None)
    shares = f"{container.name} shares the network of"
    if other is None:
        return None, f"{shares} {name[:12]}, which is gone"
    if other.mode.startswith("container:"):
        return None, f"{shares} {other.name}, which shares another's"
    return other, ""


def _host(container: Container, here: Here) -> Place:
    """Return where a container in the host's network is: it has no address of its own."""
    if here.host:
        return Place(("127.0.0.1",), "host")
    if gateway := here.gateway():
        return Place((gateway,), "host")
    return Place(problem=f"{container.name} is in the host's network, to which there is no gateway")


def _published(container: Container, host: str, port: int, proto: str) -> Place:
    """Return the port of the engine's host that leads to `port` of `container`."""
    found = [one for one in container.published if one.port == port and one.proto == proto]
    if not found:
        has = ", ".join(f"{one.port}/{one.proto}" for one in container.published)
        return Place(
            problem=f"{container.name} publishes no port {port}/{proto}"
            + (f", only {has}" if has else f": docker run -p {port}")
        )
    one = next((p for p in found if ":" not in p.host), found[0])
    if one.host in ("127.0.0.1", "::1") and host not in ("127.0.0.1", "::1"):
        return Place(
            problem=f"{container.name} publishes port {port} on {one.host} of its host only"
        )
    where = host if one.host in (*_NAMES_OF_HOST, "127.0.0.1", "::1") else one.host
    return Place((f"{where}#{one.public}",), "published")


def _is(network: Attachment, name: str) -> bool:
    return name == network.network or (len(name) >= 12 and network.id.startswith(name))


def _names(networks: Iterable[Attachment]) -> str:
    return ", ".join(dict.fromkeys(network.network for network in networks))
