"""Endpoints as URLs: a single one, or a list with commas between them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ambassador.errors import ConfigError, Problem
from ambassador.model import Address, Endpoint, Inet, Proto, Tls, Unix
from ambassador.spec.address import (
    format_address,
    read_authority,
    read_host,
    read_ports,
    read_unix,
    salvaged,
)
from ambassador.spec.container import ENGINES, KEYS, is_asked, read_container, read_srv
from ambassador.spec.text import Malformed, meant, refuse_blanks, shown, told
from ambassador.spec.tls import READ_ENDPOINT, format_tls, tls_of

__all__ = ["format_endpoint", "format_endpoints", "parse_endpoint", "parse_endpoints", "repeated"]

SCHEMES = ("tcp", "tls", "udp", "unix", *ENGINES, "srv")
HEAVIEST = 1000
_FORMS = {
    Proto.TCP: "tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH",
    Proto.UDP: "udp://HOST:PORT",
    None: "tcp://HOST:PORT, tls://HOST:PORT, udp://HOST:PORT or unix:///PATH",
}
_QUERY = f"?backup, ?weight=1 to {HEAVIEST}, ?proxy=v1 or v2, or several: ?backup&weight=2"
_WEIGHT = re.compile(r"[1-9]\d{0,3}", re.ASCII)
_MOST = 20  # problems of one list
_LONGEST_EXAMPLE = 2000  # characters


def parse_endpoint(
    text: str, where: str = "endpoint", proto: Proto | None = None, port: int = 6379
) -> Endpoint:
    """Return the endpoint of one URL.

    With `proto` the scheme must agree with it. `port` only completes the example of an error.
    Raises ConfigError.
    """

    def read(text: str) -> Endpoint:
        try:
            return _endpoint(text, proto)
        except Malformed as found:
            example = found.example or _example(text, proto, port)
            raise Malformed(found.what, found.expected or _FORMS[proto], example) from None

    return told(where, text, read)


def parse_endpoints(
    text: str, where: str = "endpoints", proto: Proto | None = None, port: int = 6379
) -> tuple[Endpoint, ...]:
    """Return the endpoints of a list with commas. Raises ConfigError with all problems; the example
    of each problem is a whole list that is correct.
    """
    found: list[Endpoint] = []
    seen: set[Address] = set()
    corrected: list[str] = []
    problems: list[Problem] = []
    for element in text.split(","):
        if not element:
            problems.append(Problem(where, "an element of the list is empty", shown(text)))
            continue
        try:
            endpoint = parse_endpoint(element, where, proto, port)
        except ConfigError as error:
            problems += error.problems
            corrected.append(error.problems[0].example)
            continue
        if twice := repeated(endpoint, seen, where, element):
            problems.append(twice)
            continue
        found.append(endpoint)
        corrected.append(format_endpoint(endpoint))
    if problems:
        example = ",".join(corrected) or _example("", proto, port)
        if len(example) > _LONGEST_EXAMPLE:  # it is repeated with each problem
            example = corrected[0]
        expected = f"{_FORMS[proto]}, with commas between several"
        raise ConfigError(
            *(
                Problem(p.where, p.what, p.read, p.expected or expected, example)
                for p in problems[:_MOST]
            )
        )
    return tuple(found)


def repeated(endpoint: Endpoint, seen: set[Address], where: str, text: str) -> Problem | None:
    """Return a problem if the address of `endpoint`, written as `text`, is in `seen`; otherwise add
    it to `seen`.
    """
    if endpoint.address not in seen:
        seen.add(endpoint.address)
        return None
    what = "an endpoint is given twice"
    return Problem(where, what, shown(text), "another ?weight=N instead")


def _endpoint(text: str, proto: Proto | None) -> Endpoint:
    refuse_blanks(text)
    address: Address
    before, found, rest = text.partition("://")
    scheme = before.lower()  # schemes are case-insensitive (RFC 3986 section 3.1)
    if not found and scheme.partition(":")[0] != "unix":
        raise Malformed("the scheme is missing")
    if found and scheme not in SCHEMES:
        raise Malformed(f'the scheme "{shown(before)}" is unknown{meant(scheme, SCHEMES)}')
    location, question, query = rest.partition("?")
    values, others = _options(query, KEYS if scheme in ENGINES else ()) if question else ({}, [])
    if scheme in ENGINES:
        address, carries = read_container(scheme, location, others, proto)
    elif scheme == "srv":
        address, carries = read_srv(location, proto)
    elif scheme == "unix" or not found:
        if proto is Proto.UDP:
            raise Malformed("the scheme unix contradicts the protocol UDP")
        address = read_unix(f"unix://{location}" if found else text)
        carries = Proto.TCP
    else:
        carries = Proto.TCP if scheme == "tls" else Proto(scheme)
        if proto is not None and carries is not proto:
            raise Malformed(f"the scheme {scheme} contradicts the protocol {proto.upper()}")
        address = _inet(location)
    tls = _tls(values, scheme, f"{location}?{query}")
    if carries is Proto.UDP and "proxy" in values:
        raise Malformed("?proxy is for TCP: a PROXY header stands before the bytes of a connection")
    return Endpoint(address, carries, tls=tls, **values)


def _inet(location: str) -> Inet:
    authority = re.split(r"[/#]", location, maxsplit=1)[0]
    host, ports = read_authority(location if "@" in location else authority)
    inet = Inet(read_host(host), *read_ports(ports))
    if authority != location:
        raise Malformed(f'"{shown(location[len(authority) :])}" follows the port')
    return inet


def _options(query: str, known: Sequence[str] = ()) -> tuple[dict[str, Any], list[str]]:
    """Return the options of `query`, by the names of the fields of Endpoint, and those of `known`,
    which belong to the scheme, as they are written.
    """
    values: dict[str, Any] = {}
    others: dict[str, str] = {}
    expected = f"{_QUERY}; {', '.join(known)}" if known else _QUERY
    for option in query.split("&"):
        key, equals, value = option.partition("=")
        if not key:
            raise Malformed("an option is empty", expected)
        if key not in _READ and key not in known:
            what = f'the option "{shown(key)}" is unknown{meant(key, (*_READ, *known))}'
            raise Malformed(what, expected)
        if key in values or (key in others.values() and key != "label"):
            raise Malformed(f'the option "{key}" is given twice', expected)
        if key in known:
            others[option] = key
        else:
            try:
                values[key] = _READ[key](value if equals else None)
            except Malformed as found:
                example = found.example and f"tls://192.168.1.52:6379?{found.example}"
                raise Malformed(found.what, found.expected, example) from None
    return values, list(others)


def _tls(values: dict[str, Any], scheme: str, rest: str) -> Tls | None:
    """Remove the options of TLS from `values`, and return them as Tls."""
    try:
        return tls_of(values, scheme == "tls")
    except Malformed as found:
        example = f"tls://{rest}" if scheme == "tcp" else ""
        raise Malformed(found.what, found.expected, example) from None


def _backup(value: str | None) -> bool:
    if value is not None:
        raise Malformed('the option "backup" has no value', _QUERY)
    return True


def _weight(value: str | None) -> int:
    if not _WEIGHT.fullmatch(value or "") or int(value or "") > HEAVIEST:
        raise Malformed(f'the weight "{shown(value or "")}" is not 1 to {HEAVIEST}', _QUERY)
    return int(value or "")


def _proxy(value: str | None) -> int:
    if value not in ("v1", "v2"):
        raise Malformed(f'proxy is "{shown(value or "")}", and not v1 or v2', _QUERY)
    return int(value[1])


_READ: Mapping[str, Callable[[str | None], Any]] = {
    "backup": _backup,
    "weight": _weight,
    "proxy": _proxy,
    **READ_ENDPOINT,
}


def _example(text: str, proto: Proto | None, port: int) -> str:
    before = text.partition("://")[0].lower()
    if before in ENGINES:
        return f"{before}://redis:{port}"
    scheme = before if before in ("tcp", "tls", "udp") else "tcp"
    if proto is not None and not (scheme == "tls" and proto is Proto.TCP):
        scheme = proto.value
    return f"{scheme}://{salvaged(text, port)}"


def format_endpoint(endpoint: Endpoint) -> str:
    """Return the URL of `endpoint`; options that have their default are left out."""
    address = format_address(endpoint.address)
    scheme = "tls" if endpoint.tls is not None else endpoint.proto.value
    whole = isinstance(endpoint.address, Unix) or is_asked(endpoint.address.host)
    url = address if whole else f"{scheme}://{address}"
    options = ["backup"] if endpoint.backup else []
    if endpoint.weight != 1:
        options.append(f"weight={endpoint.weight}")
    if endpoint.proxy:
        options.append(f"proxy=v{endpoint.proxy}")
    options += format_tls(endpoint.tls)
    return f"{url}{'&' if '?' in url else '?'}{'&'.join(options)}" if options else url


def format_endpoints(endpoints: Iterable[Endpoint]) -> str:
    """Return the URLs of `endpoints` with commas between them."""
    return ",".join(format_endpoint(endpoint) for endpoint in endpoints)
