"""Parsers for the texts of settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ambassador.admin.place import LONGEST, is_name
from ambassador.errors import ConfigError, Problem
from ambassador.model import Endpoint, Inet
from ambassador.spec import (
    parse_duration,
    parse_endpoint,
    parse_listen,
    parse_ports,
    parse_size,
    parse_word,
    shown,
)
from ambassador.spec.service import NAME

if TYPE_CHECKING:
    from ambassador.core.fleet.allow import Allowed

__all__ = [
    "admin",
    "announced",
    "backlog",
    "door",
    "engine",
    "etcd",
    "fleet_allow",
    "folder",
    "grace",
    "memory",
    "name",
    "names",
    "path",
    "ports",
    "prefix",
    "program",
    "size",
    "token",
    "user",
    "word",
    "workers",
    "yes",
]

# With less, a session would wake up for less than a packet; with more, few sessions would fill the
# memory limit.
SMALLEST_BUFFER, LARGEST_BUFFER = 4 << 10, 64 << 20
SMALLEST_MEMORY = 1 << 20
LARGEST_BACKLOG = 65535
MOST_WORKERS = 64
SHORTEST_TOKEN = 16  # characters; guessing such a token over a network would take centuries


def names(text: str, where: str) -> tuple[str, ...]:
    """Return the names of a list. Raises ConfigError."""
    found = tuple(part.strip() for part in text.split(","))
    if not all(found) or any(any(char.isspace() for char in name) for name in found):
        raise ConfigError(Problem(where, "a name in the list is empty or has a blank", shown(text)))
    return found


def ports(text: str, where: str) -> tuple[int, ...]:
    """Return the ports of a list, each once. Raises ConfigError."""
    found: list[int] = []
    problems: list[Problem] = []
    for part in text.split(","):
        try:
            found += parse_ports(part.strip(), where).ports
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(*problems)
    return tuple(dict.fromkeys(found))


def word(*words: str) -> Callable[[str, str], str]:
    """Return a parser that accepts one of `words`."""
    return lambda text, where: parse_word(text, words, where)


def size(text: str, where: str) -> int:
    """Return how many bytes a session may hold. Raises ConfigError."""
    found = parse_size(text, where)
    if not SMALLEST_BUFFER <= found <= LARGEST_BUFFER:
        raise ConfigError(Problem(where, "is too small or too large", text, "4KiB to 64MiB"))
    return found


def memory(text: str, where: str) -> int | None:
    """Return how many bytes all sessions may hold, None for `auto`. Raises ConfigError."""
    if text == "auto":
        return None
    found = parse_size(text, where)
    if found < SMALLEST_MEMORY:
        raise ConfigError(Problem(where, "is too small", text, "auto, or 1MiB and more"))
    return found


def backlog(text: str, where: str) -> int:
    """Return how many connections may wait to be accepted. Raises ConfigError."""
    digits = text.isascii() and text.isdigit() and len(text) <= 5
    if not digits or not 1 <= int(text) <= LARGEST_BACKLOG:
        what = f"is not a number from 1 to {LARGEST_BACKLOG}"
        raise ConfigError(Problem(where, what, shown(text), "a whole number"))
    return int(text)


def workers(text: str, where: str) -> int | None:
    """Return how many processes may carry sessions, None for `auto`. Raises ConfigError."""
    if text == "auto":
        return None
    digits = text.isascii() and text.isdigit() and len(text) <= 3
    if not digits or int(text) > MOST_WORKERS:
        what = f"is neither auto nor a number from 0 to {MOST_WORKERS}"
        raise ConfigError(Problem(where, what, shown(text), "auto, or a whole number"))
    return int(text)


def admin(text: str, where: str) -> str:
    """Return the path of the admin socket, or `off`. Raises ConfigError."""
    place = text.removeprefix("unix://")
    # sun_path holds 108 bytes with the closing NUL (unix(7)).
    if text != "off" and not place.startswith("/"):
        raise ConfigError(Problem(where, "is not an absolute path", shown(text), "a path, or off"))
    if "\0" in place or len(place.encode("utf-8", "surrogatepass")) > 107:
        raise ConfigError(Problem(where, "is too long for a socket", shown(text), "107 bytes"))
    return place


def name(text: str, where: str) -> str:
    """Return the name of an ambassador, which is also the name of a file. Raises ConfigError."""
    if not is_name(text):
        what = "is not a name for an ambassador"
        expected = f"{LONGEST} letters, digits, - and _ at most; not admin"
        raise ConfigError(Problem(where, what, shown(text), expected))
    return text


def fleet_allow(text: str, where: str) -> Allowed:
    """Return which names and networks may be taken from etcd. Raises ConfigError."""
    from ambassador.core.fleet.allow import parse_allowed  # noqa: PLC0415 (only if it is set)

    return parse_allowed(text, where)


def folder(text: str, where: str) -> str:
    """Return the absolute path of a folder. Raises ConfigError."""
    if not text.startswith("/") or "\0" in text:
        raise ConfigError(Problem(where, "is not an absolute path", shown(text), "a folder"))
    return text


def door(text: str, where: str) -> Inet:
    """Return the address where HTTP is served over TCP. Raises ConfigError."""
    address = parse_listen(text, where)
    if not isinstance(address, Inet) or address.last:
        what = "is not an address with one port"
        raise ConfigError(Problem(where, what, shown(text), ":PORT or ADDRESS:PORT"))
    return address


def engine(text: str, where: str) -> str:
    """Return where a container engine is: unix:///PATH or tcp://HOST:PORT. Raises ConfigError."""
    is_path = text.startswith("unix:///") and len(text) > len("unix:///")
    if not is_path and not (text.startswith("tcp://") and len(text) > len("tcp://")):
        what = "is not the place of a container engine"
        raise ConfigError(Problem(where, what, shown(text), "unix:///PATH or tcp://HOST:PORT"))
    if "\0" in text or any(char.isspace() for char in text):
        raise ConfigError(Problem(where, "holds a blank", shown(text)))
    return text


def yes(text: str, where: str) -> bool:
    """Return True for 1 or yes, False for 0 or no. Raises ConfigError."""
    return parse_word(text, ("1", "0", "yes", "no"), where) in ("1", "yes")


def program(text: str, where: str) -> tuple[str, ...]:
    """Return the words of a command, quoted as in a shell; it runs without a shell. Raises
    ConfigError.
    """
    import shlex  # noqa: PLC0415 (only if there is such a command)

    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        what = f"is no command: {str(error).lower()}"
        raise ConfigError(
            Problem(where, what, shown(text), "a program and its arguments")
        ) from None
    if not words or not words[0]:
        raise ConfigError(Problem(where, "is empty", shown(text), "a program and its arguments"))
    return words


def token(text: str, where: str) -> str:
    """Return a token that is hard to guess; no error contains it. Raises ConfigError."""
    # the characters of a bearer token (RFC 6750 section 2.1), without its rule for padding
    fit = all(char.isascii() and (char.isalnum() or char in "-._~+/=") for char in text)
    if len(text) < SHORTEST_TOKEN or not fit:
        expected = f"{SHORTEST_TOKEN} or more letters, digits and -._~+/="
        raise ConfigError(Problem(where, "is not a token that can be trusted", "***", expected))
    return text


def path(text: str, where: str) -> str:
    """Return the path of a file. Raises ConfigError."""
    if not text or "\0" in text:
        raise ConfigError(Problem(where, "is not a path", shown(text), "the path of a file"))
    return text


def grace(text: str, where: str) -> float:
    """Return seconds; 0 is allowed, too. Raises ConfigError."""
    return parse_duration(text, where, zero=True)


def etcd(text: str, where: str) -> tuple[tuple[str, int, bool], ...]:
    """Return the members of an etcd: host, port, whether TLS is used. Raises ConfigError."""
    found: list[tuple[str, int, bool]] = []
    expected = "http://HOST:PORT or https://HOST:PORT, with commas between them"
    for part in (one.strip() for one in text.split(",")):
        scheme, mark, rest = part.partition("://")
        if scheme not in ("http", "https") or not mark:
            what = f'"{shown(part)}" is not a URL of a member of etcd'
            raise ConfigError(Problem(where, what, shown(text), expected))
        if "@" in rest:  # not shown: it may hold a password
            what = "a URL of etcd holds no user: AMBASSADOR_ETCD_USER and _PASSWORD_FILE do"
            raise ConfigError(Problem(where, what, "***", expected))
        rest = rest.removesuffix("/")
        has_port = not rest.endswith("]") and ":" in rest.rpartition("]")[2]
        try:
            endpoint = parse_endpoint(f"tcp://{rest if has_port else f'{rest}:2379'}", where)
        except ConfigError as error:
            raise ConfigError(
                Problem(where, error.problems[0].what, shown(text), expected)
            ) from None
        address = endpoint.address
        if not isinstance(address, Inet) or address.last or "?" in rest:
            raise ConfigError(Problem(where, "a member has one port", shown(text), expected))
        member = (address.host, address.port, scheme == "https")
        if member in found:
            raise ConfigError(Problem(where, f"{shown(part)} is given twice", shown(text)))
        found.append(member)
    return tuple(found)


def user(text: str, where: str) -> str:
    """Return the name of a user, or `@` and the path of the file with it. Raises ConfigError."""
    plain = text.removeprefix("@")
    if not plain or not plain.isprintable() or (text.startswith("@") and plain[:1] != "/"):
        what = "is neither a name nor @ and an absolute path"
        raise ConfigError(Problem(where, what, shown(text), "NAME or @/PATH"))
    return text


def prefix(text: str, where: str) -> str:
    """Return the prefix of the keys of a fleet, without a slash at its end. Raises ConfigError."""
    plain = text.rstrip("/")
    parts = plain.split("/")[1:]
    if not plain.startswith("/") or not all(NAME.fullmatch(part) for part in parts):
        what = "is not a prefix of keys"
        expected = "/NAME or /NAME/NAME: letters, digits, -, _ and ."
        raise ConfigError(Problem(where, what, shown(text), expected))
    return plain


def announced(text: str, where: str) -> tuple[tuple[str, Endpoint], ...]:
    """Return the names and the endpoints that are announced under them. Raises ConfigError."""
    found: list[tuple[str, Endpoint]] = []
    for part in (one.strip() for one in text.split(",")):
        name, equals, url = part.partition("=")
        if not equals or not NAME.fullmatch(name):
            what = f'"{shown(part)}" is no NAME=URL'
            raise ConfigError(Problem(where, what, shown(text), "NAME=URL"))
        found.append((name, parse_endpoint(url, where)))
    return tuple(found)
