"""Addresses of listeners and endpoints: HOST:PORT, [IPV6]:PORT, PORT-PORT, unix:///PATH."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import quote, unquote_to_bytes

from ambassador.model import Address, Inet, Unix
from ambassador.spec.text import Malformed, refuse_blanks, shown, told

__all__ = [
    "format_address",
    "is_ip",
    "length",
    "parse_host",
    "parse_listen",
    "parse_ports",
    "read_authority",
    "read_host",
    "read_ports",
    "read_unix",
    "salvaged",
    "unmapped",
]

LISTEN = ":PORT, ADDRESS:PORT, [IPV6]:PORT, any of them with PORT-PORT, or unix:///PATH"
# sun_path holds 108 bytes with the closing NUL (unix(7)).
LONGEST_PATH = 107
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_ESCAPED_ZONE = re.compile("%(?=25.)")  # a zone that begins with 25 is written after %25
_ZONE = re.compile(r"[\w.-]{1,15}", re.ASCII)  # a name of an interface; IFNAMSIZ is 16 with NUL
_NUMBER = re.compile(r"\d{1,5}", re.ASCII)
_PATH_SAFE = "/!$'()*+:;=@~-._"  # in a path these, letters and digits are not escaped


def parse_listen(text: str, where: str = "listen") -> Address:
    """Return a listen address. Its host is an IP literal; without one, it is all addresses.

    A plain number is a port; `localhost` is 127.0.0.1. Raises ConfigError.
    """
    return told(where, text, _listen)


def _listen(text: str) -> Address:
    try:
        refuse_blanks(text)
        if "?" in text:
            raise Malformed("a listen address has no options")
        if text.startswith("unix:"):
            return read_unix(text)
        if "://" in text:
            raise Malformed("a listen address has no scheme")
        if is_ip(text) and ":" not in text:
            raise Malformed("the port is missing")
        host, ports = read_authority(text if ":" in text else f":{text}")
        if host == "localhost":
            host = "127.0.0.1"
        if host and not is_ip(host):
            raise Malformed(f'"{shown(host)}" is a name; a listen address is an IP address')
        return Inet(host, *read_ports(ports))
    except Malformed as found:
        raise Malformed(found.what, LISTEN, found.example or _listen_example(text)) from None


def _listen_example(text: str) -> str:
    guess = salvaged(text if ":" in text or is_ip(text) else f":{text}", 6379, "")
    host = guess.rpartition(":")[0].strip("[]")
    return guess if is_ip(host) else guess.removeprefix(host)


def parse_ports(text: str, where: str = "port") -> Inet:
    """Return the port or range `text`, without a host. Raises ConfigError."""
    return told(where, text, lambda text: Inet("", *read_ports(text)))


def parse_host(text: str, where: str = "host") -> str:
    """Return a host without a port: a name, or an IP literal with or without brackets.

    Raises ConfigError.
    """

    def read(text: str) -> str:
        refuse_blanks(text)
        bracketed = text.startswith("[") and text.endswith("]")
        return read_host(text[1:-1] if bracketed else text)

    return told(where, text, read)


def length(address: Address) -> int:
    """Return how many ports `address` has; a path counts as one."""
    return len(address.ports) if isinstance(address, Inet) else 1


def of_length(address: Address, count: int) -> Inet:
    """Return `address` with `count` ports; for a path, return an example address."""
    host = address.host if isinstance(address, Inet) else "192.168.1.52"
    first = min(address.port if isinstance(address, Inet) else 6379, 65536 - count)
    return Inet(host, first, first + count - 1 if count > 1 else 0)


def format_address(address: Address) -> str:
    """Return `address` as a listen address is written: `:6379`, `[::1]:6379`, `unix:///x`."""
    if isinstance(address, Unix):
        return "unix://" + quote(address.path, _PATH_SAFE, errors="surrogateescape")
    if "://" in address.host:  # docker://, srv:// and so on: the host is the whole text
        return address.host
    host = f"[{_ESCAPED_ZONE.sub('%25', address.host)}]" if ":" in address.host else address.host
    ports = f"{address.port}-{address.last}" if address.last else f"{address.port}"
    return f"{host}:{ports}"


def read_authority(text: str) -> tuple[str, str]:
    """Split HOST:PORTS. The host may be empty, the ports may not; they are not checked yet."""
    if "@" in text:
        raise Malformed("holds a user name or password, which an ambassador does not use")
    if "[" in text or "]" in text:
        match = re.fullmatch(r"\[([^\[\]]*)\](?::(.*))?", text, re.DOTALL)
        if match is None:
            raise Malformed("the brackets do not enclose an IPv6 address")
        # RFC 6874 writes %25 before a zone; if nothing follows, 25 is the zone itself.
        host, ports = re.sub("%25(?=.)", "%", match[1], count=1), match[2] or ""
        if ":" not in host or not is_ip(host):
            raise Malformed(f'"{shown(host)}" is not an IPv6 address')
        host = str(IPv6Address(host))
    else:
        if text.count(":") > 1:
            raise Malformed("an IPv6 address must be in brackets")
        host, _, ports = text.partition(":")
    if not ports:
        raise Malformed("the port is missing")
    return host, ports


@lru_cache(4096)  # called for the same few addresses again and again
def is_ip(host: str) -> bool:
    """Return whether `host` is an IP literal, without brackets."""
    try:
        ip_address(host)
    except ValueError:
        return False
    _, percent, zone = host.partition("%")
    return not percent or _ZONE.fullmatch(zone) is not None


def read_host(host: str) -> str:
    """Check the host of an endpoint: a name or an IP literal without brackets."""
    if not host:
        raise Malformed("the host is missing")
    if is_ip(host):
        return host
    labels = host.removesuffix(".").split(".")
    # Docker allows a name like nginx.1, but digits and dots only are a mistyped address.
    if all(label.isascii() and label.isdigit() for label in labels):
        raise Malformed(f'"{shown(host)}" is not an IPv4 address')
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise Malformed(f'"{shown(host)}" is not a host name')
    return host


def read_ports(text: str) -> tuple[int, int]:
    """Return the first and the last port of `text`; the last is 0 if there is only one port."""
    first, dash, last = text.partition("-")
    low = read_port(first)
    if not dash:
        return low, 0
    high = read_port(last)
    if high < low:
        raise Malformed(f"the range {shown(text)} runs backwards")
    return low, high if high > low else 0


def read_port(text: str) -> int:
    """Return a port from 1 to 65535."""
    if not _NUMBER.fullmatch(text):
        digits = text.isascii() and text.isdigit()
        if not digits:
            raise Malformed(f'"{shown(text)}" is not a port number')
    port = int(text) if len(text) <= 5 else 65536
    if text != "0" and text.startswith("0"):
        # strtoul, and with it socat, reads 010 as 8
        raise Malformed(f'the port "{shown(text)}" begins with 0')
    if not 1 <= port <= 65535:
        raise Malformed(f"the port {shown(text)} is not between 1 and 65535")
    return port


def read_unix(text: str) -> Unix:
    """Return the socket of `unix:///PATH`; in the path %XX stands for a byte."""
    expected = "unix:///PATH, an absolute path"
    raw = text.removeprefix("unix:")
    plain = re.fullmatch(r"/*(?:run/)?([\w.-][\w./-]{0,50}[\w-]|\w)/*", raw, re.ASCII)
    example = f"unix:///run/{plain[1] if plain else 'redis.sock'}"
    if not raw.startswith("//"):
        raise Malformed("unix is followed by :// and a path", expected, example)
    raw = raw[2:]
    if not raw.startswith("/"):
        what = "the path is missing" if not raw else "the path is relative"
        raise Malformed(what, expected, example)
    if re.search(r"%(?![0-9A-Fa-f]{2})", raw):
        raise Malformed("a % in a path is followed by two hexadecimal digits", expected, example)
    data = unquote_to_bytes(raw)
    if b"\0" in data:
        raise Malformed("the path holds a NUL byte", expected, example)
    if len(data) > LONGEST_PATH:
        what = f"the path has {len(data)} bytes, {LONGEST_PATH} are possible"
        raise Malformed(what, expected, example)
    if data.endswith((b"/", b"/.", b"/..")):
        raise Malformed("the path names a folder", expected, example)
    return Unix(data.decode("utf-8", "surrogateescape"))


def salvaged(text: str, port: int, host: str = "192.168.1.52") -> str:
    """Return HOST:PORTS for an example, from the parts of malformed text that can be read.

    `port` is used if no port can be read, `host` if no host can.
    """
    before, scheme, after = text.strip().partition("://")
    rest = (after if scheme else before).rpartition("@")[2]
    rest = re.split(r"[/?#\s]", rest, maxsplit=1)[0]
    before, colon, ports = rest.rpartition(":")
    if not colon or (is_ip(rest.strip("[]")) and not is_ip(before.strip("[]"))):
        before, ports = rest, ""  # the last group of an IPv6 address is not a port
    with suppress(Malformed):
        host = read_host(before.strip("[]"))
    try:
        first, last = read_ports("-".join(sorted(ports.split("-"), key=int)))
    except (Malformed, ValueError):
        first, last = port, 0
    return format_address(Inet(host, first, last))


def unmapped(host: str) -> IPv4Address | IPv6Address | None:
    """Return the IP literal `host` as an address, ::ffff:1.2.3.4 as IPv4; None for a name."""
    if not is_ip(host):
        return None
    address = ip_address(host)
    return getattr(address, "ipv4_mapped", None) or address
