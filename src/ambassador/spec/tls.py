"""The options of TLS after tls:// (`?verify=`, `?tls=`, `?starttls=`), and the text of peers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ambassador.errors import ConfigError, Problem
from ambassador.model import Tls, Verify
from ambassador.spec.address import is_ip
from ambassador.spec.networks import FILE, wrong_path
from ambassador.spec.text import Malformed, meant, shown

__all__ = [
    "READ_ENDPOINT", "READ_LISTENING", "SCHEME", "format_peers", "format_tls", "parse_identities",
    "parse_peers", "tls_of",
]  # fmt: skip

SCHEME = "tls://"
_VERSIONS = ("1.2", "1.3")
_SERVICES = ("postgres", "mysql", "smtp")
_VERIFY = "verify=server: only the server proves its identity; verify=none: neither side does"
_MOST = 1000  # identities of one route
_MOST_OF_FILE = 10_000
_WILD_HOST = re.compile(r"[\w*]([\w.*-]{0,251}[\w*])?", re.ASCII)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s,]+")


def _verify(value: str | None) -> Verify:
    if value not in tuple(Verify):
        what = f'verify is "{shown(value or "")}"{meant(value or "", tuple(Verify))}'
        raise Malformed(what, _VERIFY, "verify=server")
    return Verify(value)


def _tls(value: str | None) -> str:
    if value not in _VERSIONS:
        what = f'tls is "{shown(value or "")}", which is not a supported version'
        raise Malformed(what, "tls=1.2 (and newer), or tls=1.3, which is the default", "tls=1.2")
    return value


def _starttls(value: str | None) -> str:
    if value not in _SERVICES:
        what = f'starttls is "{shown(value or "")}"{meant(value or "", _SERVICES)}'
        raise Malformed(what, f"starttls={', '.join(_SERVICES)}", "starttls=postgres")
    return value


READ_LISTENING: Mapping[str, Any] = {"verify": _verify, "tls": _tls}
READ_ENDPOINT: Mapping[str, Any] = {**READ_LISTENING, "starttls": _starttls}


def tls_of(values: dict[str, Any], secret: bool) -> Tls | None:
    """Remove the options of TLS from `values`, and return them as Tls. `secret`: the scheme is
    tls; if it is not, return None, and raise Malformed if there is such an option.
    """
    said = {key: values.pop(key) for key in READ_ENDPOINT if key in values}
    if not secret:
        if said:
            what = f"?{next(iter(said))} is for tls://"
            raise Malformed(what, "tls://HOST:PORT in place of tcp://HOST:PORT")
        return None
    return Tls(said.get("verify", Verify.BOTH), said.get("tls", "1.3"), said.get("starttls", ""))


def format_tls(tls: Tls | None) -> Sequence[str]:
    """Return the options of `tls` that differ from their defaults."""
    if tls is None:
        return ()
    found = [f"verify={tls.verify}"] if tls.verify is not Verify.BOTH else []
    if tls.oldest != "1.3":
        found.append(f"tls={tls.oldest}")
    if tls.starttls:
        found.append(f"starttls={tls.starttls}")
    return found


def parse_peers(text: str, where: str = "peers") -> tuple[str, ...]:
    """Return the identities of a list, in which `*` stands for any characters; none for `off`.
    Raises ConfigError.
    """
    if text == "off":
        return ()
    found = tuple(text.split(","))
    problems = [
        Problem(where, what, shown(one), _NAMES, _PEERS)
        for one in found
        if (what := _no_identity(one))
    ]
    if len(found) > _MOST:
        what = f"has {len(found)} identities, {_MOST} are possible"
        problems = [Problem(where, what, "", "fewer, with * for many", _PEERS)]
    if problems:
        raise ConfigError(*problems[:20])
    return tuple(dict.fromkeys(found))


def parse_identities(text: str, where: str) -> tuple[str, ...]:
    """Return the identities of a file: any number in a line, `#` begins a comment. Raises
    ConfigError with all wrong words, or if there is no identity at all.
    """
    found, problems = list[str](), list[Problem]()
    for number, line in enumerate(text.splitlines(), 1):
        for word in line.partition("#")[0].replace(",", " ").split():
            found.append(word)
            if what := "names no other file" if word.startswith(FILE) else _no_identity(word):
                place = f"{where}, line {number}"
                problems.append(Problem(place, what, shown(word), _NAMES, "client-server"))
    if not found:
        what = "names no identity"
        problems.append(Problem(where, what, "", "an identity a line", "client-server"))
    if len(found) > _MOST_OF_FILE:
        what = f"has {len(found)} identities, {_MOST_OF_FILE} are possible"
        problems.append(Problem(where, what, "", "fewer, with * for many"))
    if problems:
        raise ConfigError(*problems[:20])
    return tuple(dict.fromkeys(found))


_PEERS = "client-server,spiffe://example.org/*"
_NAMES = "names in certificates, * for any characters; @/PATH of a file with such names"


def _no_identity(text: str) -> str:
    if not text or not text.isprintable() or " " in text:
        return "an identity has a blank" if text else "an identity of the list is empty"
    if text.startswith(FILE):
        return wrong_path(text)
    if "://" in text:
        scheme = text.partition("://")[0].lower()
        if scheme in ("tcp", "tls", "udp", "unix"):
            return f"{scheme}:// is the address of an endpoint, no identity: it matches nothing"
        return "" if _URI.fullmatch(text) else "is not a URI, and matches nothing"
    if is_ip(text) or _WILD_HOST.fullmatch(text):
        return ""
    return "is not a name, address or URI that a certificate has, and matches nothing"


def format_peers(peers: tuple[str, ...]) -> str:
    """Return the text that means `peers`."""
    return ",".join(peers) or "off"
