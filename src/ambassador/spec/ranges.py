"""Ranges of ports as Docker writes them: <NAME>_START and <NAME>_END beside the single variables.

For a link to a container that exposes 7000-7003/tcp Docker sets

    X_PORT_7000_TCP_START=tcp://172.17.0.2:7000     X_PORT_7000_TCP_END=tcp://172.17.0.2:7003
    X_PORT_7000_TCP_PORT_START=7000                 X_PORT_7000_TCP_PORT_END=7003

and X_PORT_7000_TCP to X_PORT_7003_TCP as well. Both ends have the first port in their names (moby,
daemon/links/links.go, EnvVars; its tests show it, too). Users may also name the end by the last
port, X_PORT_7003_TCP_END. Docker's search for neighbours counts 53/tcp and 53/udp as two steps
(nextContiguous), so a range that it wrote may have gaps or end in another protocol; the single
variables are always correct.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from ambassador.errors import ConfigError, Problem
from ambassador.model import Address, Endpoint, Inet, Proto
from ambassador.spec.address import format_address, of_length
from ambassador.spec.assignment import Assignment, Link
from ambassador.spec.endpoint import format_endpoint, parse_endpoint
from ambassador.spec.text import shown

__all__ = ["join_ranges"]

_LARGEST = 65535


def join_ranges(links: Sequence[Link]) -> list[Link]:
    """Return `links` with each range as one link on its first port, whose endpoint is a range.

    Single variables inside a range are dropped if they say the same; if they contradict it, that is
    a problem of the range's link.
    """
    taken_in: set[int] = set()
    for link in links:
        if "START" in link.companions and id(link) not in taken_in:
            taken_in |= _join(link, links)
    left = [link for link in links if id(link) not in taken_in]
    for link in left:
        end = link.companions.get("END")
        by_docker = "PORT_END" in link.companions  # Docker: a range that began with another proto
        if end is not None and not link.mains and link.proto != "SCTP" and not by_docker:
            link.mains = [end]
            link.problems.append(_beginless(link, end))
    return left


def _join(link: Link, links: Sequence[Link]) -> set[int]:
    """Make `link` the link of its range; return the `id` of the links that become part of it."""
    start = link.companions["START"]
    if link.proto == "SCTP" or len(link.port) > 5:
        link.mains = link.mains or [start]  # its name is refused later
        return set()
    siblings = {
        int(other.port): other
        for other in links
        if (other.alias, other.proto) == (link.alias, link.proto) and len(other.port) <= 5
    }
    first = int(link.port)
    try:
        last = _last_port(link, first, siblings)
    except ConfigError as error:
        link.mains = link.mains or [start]
        link.problems += error.problems
        return set()
    inside = [siblings[port] for port in range(first + 1, last + 1) if port in siblings]
    by_docker = "PORT_END" in link.companions
    if link.mains and by_docker and sum(bool(other.mains) for other in inside) < last - first:
        return set()
    singles = link.mains
    link.mains = singles or [start]
    end = link.companions.get("END")
    if end is None and last in siblings:
        end = siblings[last].companions.get("END")
    if end is None or last <= first:
        if not singles:
            link.problems.append(_endless(link, start))
        return set()
    try:
        whole = _range(link, last - first, start, end)
    except ConfigError as error:
        link.problems += error.problems
        return {id(other) for other in inside}
    for other, mains in ((link, singles), *((other, other.mains) for other in inside)):
        step = int(other.port) - first
        wished = f"{link.proto.lower()}://{format_address(Inet(whole.host, whole.port + step))}"
        link.problems += [
            _contradiction(main, wished, start) for main in mains if main.value != wished
        ]
        if other is not link:
            link.problems += [_misplaced(option, other, link) for option in other.options.values()]
    url = f"{link.proto.lower()}://{format_address(whole)}"
    link.mains = [Assignment(start.where, link.variable, url, start.argument)]
    return {id(other) for other in inside}


def _last_port(link: Link, first: int, siblings: dict[int, Link]) -> int:
    """Return the last port of the range, 0 if it is not given."""
    start, end = link.companions["START"], link.companions.get("END")
    if end is not None:
        low, high = _single(start, link).address, _single(end, link).address
        if not isinstance(low, Inet) or low.last:
            raise ConfigError(_no_start(start, link, high))
        if not isinstance(high, Inet) or high.last or high.port <= low.port:
            what = f"is not after {start.name}, where the range starts"
            last = Inet(low.host, min(low.port + 3, _LARGEST))
            example = f"{end.name}={link.proto.lower()}://{format_address(last)}"
            raise ConfigError(Problem(end.where, what, shown(end.value), "a later port", example))
        return first + high.port - low.port
    stated = link.companions.get("PORT_END")
    if stated is not None:
        text = stated.value
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0
    ends = [p for p, other in siblings.items() if p > first and "END" in other.companions]
    return min(ends, default=0)


def _single(assignment: Assignment, link: Link) -> Endpoint:
    try:
        proto = Proto(link.proto.lower())
        return parse_endpoint(assignment.value, assignment.where, proto, int(link.port))
    except ConfigError as error:
        raise ConfigError(
            *(
                Problem(p.where, p.what, p.read, p.expected, f"{assignment.name}={p.example}")
                for p in error.problems
            )
        ) from None


def _range(link: Link, steps: int, start: Assignment, end: Assignment) -> Inet:
    low, high = _single(start, link), _single(end, link)
    address = low.address
    if not isinstance(address, Inet) or address.last or address.port + steps > _LARGEST:
        raise ConfigError(_no_start(start, link, high.address))
    wished = Inet(address.host, address.port + steps)
    if high.address != wished:
        what = f"does not fit {start.name}, which is {steps} ports before"
        url = format_endpoint(Endpoint(wished, low.proto))
        raise ConfigError(Problem(end.where, what, shown(end.value), url, f"{end.name}={url}"))
    return Inet(address.host, address.port, address.port + steps)


def _contradiction(main: Assignment, wished: str, start: Assignment) -> Problem:
    what = f"contradicts the range that begins with {start.name}"
    return Problem(main.where, what, shown(main.value), wished, f"{main.name}={wished}")


def _misplaced(option: Assignment, inner: Link, link: Link) -> Problem:
    what = f"port {inner.port} is inside a range, whose options stand at its first port"
    name = option.name.replace(f"_PORT_{inner.port}_", f"_PORT_{link.port}_")
    return Problem(option.where, what, example=f"{name}={shown(option.value)}")


def _no_start(start: Assignment, link: Link, high: Address) -> Problem:
    """Return a problem whose example is a start some ports before `high`, the end of the range."""
    end = of_length(high, 1)
    url = f"{link.proto.lower()}://{format_address(Inet(end.host, max(end.port - 3, 1)))}"
    expected = "one port of a host, before that of the end"
    example = f"{start.name}={url}"
    return Problem(start.where, "cannot start a range", shown(start.value), expected, example)


def _beginless(link: Link, end: Assignment) -> Problem:
    """Return a problem whose example is a range of up to four ports."""
    high = Inet("192.168.1.52", int(link.port) if len(link.port) <= 5 else 6379)
    with suppress(ConfigError):
        high = of_length(_single(end, link).address, 1)
    url = f"{link.proto.lower()}://{format_address(Inet(high.host, max(high.port - 3, 1)))}"
    example = f"{end.name.removesuffix('END')}START={url}"
    return Problem(end.where, "the range has no start", shown(end.value), example=example)


def _endless(link: Link, start: Assignment) -> Problem:
    """Return a problem whose example is a range of four ports."""
    last, example = int(link.port) + 3, ""
    with suppress(ConfigError):
        address = _single(start, link).address
        if isinstance(address, Inet) and not address.last and address.port + 3 <= _LARGEST:
            url = f"{link.proto.lower()}://{format_address(Inet(address.host, address.port + 3))}"
            example = f"{link.alias.upper()}_PORT_{last}_{link.proto}_END={url}"
    return Problem(start.where, "the range has no end", shown(start.value), example=example)
