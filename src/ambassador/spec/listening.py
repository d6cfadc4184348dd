"""The text of a listen address with options after a `?`: `:6379?proxy=required`.

    listening   listen[?option[&option]]
    option      proxy=required, proxy=from:NETWORK[,NETWORK...]

Every option is a field of Route; a new option goes there, and into `Listening`, `_READ`, `_WRITE`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ambassador.errors import ConfigError, Problem
from ambassador.model import Address, Route, Tls, Unix
from ambassador.spec.address import LISTEN, format_address, parse_listen
from ambassador.spec.networks import EVERYBODY, FILE, format_networks, parse_networks
from ambassador.spec.text import Malformed, meant, refuse_blanks, shown, told
from ambassador.spec.tls import READ_LISTENING, SCHEME, format_tls, tls_of

__all__ = ["Listening", "format_listening", "parse_listening", "refuse_for_udp"]

_PROXY = "proxy=required, or proxy=from: and the networks that send the header"
_FORM = f"{LISTEN}, with tls:// before it or without, and ?{_PROXY}"


@dataclass(frozen=True, slots=True)
class Listening:
    """A listen address with its options; its fields have the same names as those of Route."""

    listen: Address
    proxy: tuple[str, ...] = ()
    tls: Tls | None = None

    def options(self) -> dict[str, Any]:
        """Return everything but the address, by the names of the fields of Route."""
        return {"proxy": self.proxy, "tls": self.tls}


def parse_listening(text: str, where: str = "listen") -> Listening:
    """Return the listen address of a route with its options. Raises ConfigError."""
    return told(where, text, _listening)


def format_listening(of: Listening | Route) -> str:
    """Return the listen address of `of` with the options that differ from the defaults."""
    options = [f"{key}={value}" for key, write in _WRITE.items() if (value := write(of))]
    options += format_tls(of.tls)
    address = f"{SCHEME if of.tls is not None else ''}{format_address(of.listen)}"
    return f"{address}?{'&'.join(options)}" if options else address


def refuse_for_udp(listening: Listening, text: str, where: str) -> None:
    """Raise ConfigError if a UDP route cannot listen as `text` says."""
    listen, what = listening.listen, ""
    if isinstance(listen, Unix):
        what = "a UDP route cannot listen on a unix socket"
    elif listening.proxy:
        what = "?proxy is for TCP: a PROXY header stands before the bytes of a connection"
    elif listening.tls is not None:
        what = "tls:// is for TCP: datagrams are carried in clear"
    if what:
        example = ":5353" if isinstance(listen, Unix) else format_address(listen)
        raise ConfigError(Problem(where, what, shown(text), "ADDRESS:PORT", example))


def _listening(text: str) -> Listening:
    where, question, query = text.partition("?")
    secret = where.lower().startswith(SCHEME)
    before = SCHEME if secret else ""
    try:
        listen = parse_listen(where[len(before) :])
    except ConfigError as error:
        found = error.problems[0]
        raise Malformed(found.what, found.expected, f"{before}{found.example}") from None
    if secret and isinstance(listen, Unix):
        raise Malformed(
            "tls:// is for a port: the mode of a path says who may use it", _FORM, "tls://:6379"
        )
    if not question:
        return Listening(listen, tls=tls_of({}, secret))
    try:
        refuse_blanks(text)
        values = _options(query)
        values["tls"] = tls_of(values, secret)
        if isinstance(listen, Unix) and values.get("proxy", EVERYBODY) != EVERYBODY:
            raise Malformed("clients of a path have no address: proxy=required is meant")
        return Listening(listen, **values)
    except Malformed as found:
        if found.expected.startswith("tls://"):  # an option of TLS without it
            raise Malformed(found.what, _FORM, f"{SCHEME}{text}") from None
        example = f"{before}{format_address(listen)}?{found.example or 'proxy=required'}"
        raise Malformed(found.what, found.expected or _FORM, example) from None


def _options(query: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for option in query.split("&"):
        key, _, value = option.partition("=")
        if not key:
            raise Malformed("an option is empty")
        if key not in _READ:
            what = f'a listen address has no option "{shown(key)}"{meant(key, _READ)}'
            raise Malformed(what)
        if key in values:
            raise Malformed(f'the option "{key}" is given twice')
        values[key] = _READ[key](value)
    return values


def _proxy(text: str) -> tuple[str, ...]:
    if text == "required":
        return EVERYBODY
    word, colon, networks = text.partition(":")
    example = "proxy=from:10.0.0.0/8"
    if word != "from" or not colon:
        what = f'proxy is "{shown(text)}"{meant(word, ("required", "from"))}'
        raise Malformed(what, _PROXY, example)
    if FILE in networks or networks in ("", "off", "all"):
        what = f'proxy=from: is followed by networks or addresses, not by "{shown(networks)}"'
        raise Malformed(what, _PROXY, example)
    try:
        return parse_networks(networks)
    except ConfigError as error:
        found = error.problems[0]
        raise Malformed(found.what, _PROXY, f"proxy=from:{found.example}") from None


def _format_proxy(of: Listening | Route) -> str:
    if of.proxy == EVERYBODY:
        return "required"
    return f"from:{format_networks(of.proxy)}" if of.proxy else ""


_READ: Mapping[str, Callable[[str], Any]] = {"proxy": _proxy, **READ_LISTENING}
_WRITE: Mapping[str, Callable[[Listening | Route], str]] = {"proxy": _format_proxy}
