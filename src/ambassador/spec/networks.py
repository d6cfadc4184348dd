"""The text of networks of clients: `10.0.0.0/8,192.168.1.7,fd00::/8,@/etc/allowed`.

A network is kept as its plain text; an IPv4-mapped network (`::ffff:10.0.0.0/104`) becomes the IPv4
network.
"""

from __future__ import annotations

import re
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import NamedTuple

from ambassador.spec.text import Malformed, shown, told

__all__ = [
    "EVERYBODY",
    "FILE",
    "Network",
    "format_networks",
    "network_of",
    "parse_network_lines",
    "parse_networks",
    "wrong_path",
]

FILE = "@"  # before the path of a file of networks
EVERYBODY = ("0.0.0.0/0", "::/0")
_EXPECTED = (
    "networks and addresses with commas between them, @/PATH of a file with these, all or off"
)
_EXAMPLE = "10.0.0.0/8,192.168.1.7,fd00::/8"
_PREFIX = re.compile(r"0|[1-9][0-9]{0,2}", re.ASCII)
_HOSTS = {str(prefix): (1 << 32 - prefix) - 1 for prefix in range(33)}  # of IPv4
_COMMENT = re.compile("#.*")
_MAPPED = 0xFFFF << 32  # ::ffff:0:0/96 (RFC 4291, section 2.5.5.2)


class Network(NamedTuple):
    """A range of addresses, as numbers, both ends included."""

    ipv6: bool
    first: int
    last: int


def parse_networks(text: str, where: str = "allow") -> tuple[str, ...]:
    """Return the networks and @files of `text`, each once; none for `off`. Raises ConfigError."""
    return told(where, text, _networks)


def format_networks(networks: tuple[str, ...]) -> str:
    """Return `networks` as they are written; inverse of `parse_networks`."""
    return "all" if networks == EVERYBODY else ",".join(networks) or "off"


def network_of(text: str) -> Network:
    """Return the network that `text` means, a network or an address. Raises Malformed."""
    address, slash, prefix = text.partition("/")
    if ":" not in address:  # most are correct IPv4 networks: this takes 0.9 us instead of 1.9
        hosts = _HOSTS.get(prefix) if slash else 0
        try:
            number = int.from_bytes(inet_pton(AF_INET, address))
        except (OSError, ValueError):
            hosts = None
        if hosts is not None and not number & hosts:
            return Network(False, number, number + hosts)
    bits, number = _address(address, text)
    if slash and not (_PREFIX.fullmatch(prefix) and int(prefix) <= bits):
        what = f'the prefix "{shown(prefix)}" of {shown(text)} is not a number from 0 to {bits}'
        raise Malformed(what, _EXPECTED, f"{address}/{bits // 4}")
    hosts = (1 << bits - int(prefix if slash else bits)) - 1
    if number & hosts:
        network, one = _text(bits, number & ~hosts), _text(bits, number)
        what = f"{shown(text)} has host bits: {network}/{prefix} or {one} is meant"
        raise Malformed(what, _EXPECTED, f"{network}/{prefix}")
    if bits == 128 and number >> 32 == _MAPPED >> 32 and hosts <= 0xFFFFFFFF:
        return Network(False, number - _MAPPED, number - _MAPPED + hosts)
    return Network(bits == 128, number, number + hosts)


def parse_network_lines(text: str, where: str) -> list[Network]:
    """Return the networks of a file: any number in a line, `#` begins a comment. Raises ConfigError
    for the first word that is no network, or if there is no network at all.
    """
    words = _COMMENT.sub("", text).replace(",", " ").split()
    found: list[Network] = []
    try:
        found = [network_of(word) for word in words]
    except Malformed:
        found = _by_line(text, where)
    if not found:
        told(where, "", _nothing)
    return found


def _by_line(text: str, where: str) -> list[Network]:
    """Do what `parse_network_lines` does for a file in which a line is wrong."""
    found: list[Network] = []
    for number, line in enumerate(text.splitlines(), 1):
        for word in line.partition("#")[0].replace(",", " ").split():
            try:
                found.append(network_of(word))
            except Malformed:
                told(f"{where}, line {number}", word, network_of)
    return found


def _nothing(_text: str) -> None:
    raise Malformed("names no network", "one network or address a line", "10.0.0.0/8")


def _networks(text: str) -> tuple[str, ...]:
    if text in ("off", "all"):
        return EVERYBODY if text == "all" else ()
    return tuple(dict.fromkeys(map(_part, text.split(","))))


def _part(text: str) -> str:
    if not text.startswith(FILE):
        network = network_of(text)
        bits = 128 if network.ipv6 else 32
        hosts = (network.last - network.first).bit_length()
        plain = _text(bits, network.first)
        return f"{plain}/{bits - hosts}" if hosts else plain
    if what := wrong_path(text):
        raise Malformed(what, _EXPECTED, f"{FILE}/etc/ambassador/allow")
    return text


def wrong_path(text: str) -> str:
    """Return what is wrong with `text`, which begins with FILE; empty if it is correct."""
    path = text.removeprefix(FILE)
    if not path.startswith("/") or not path.isprintable() or " " in path:
        return f'"{shown(path)}" is not an absolute path without blanks'
    return ""


def _address(text: str, whole: str) -> tuple[int, int]:
    """Return how many bits the address `text` has, and its number."""
    family = AF_INET6 if ":" in text else AF_INET
    try:
        packed = inet_pton(family, text)
    except (OSError, ValueError):  # ValueError: a NUL, or a character that is not ASCII
        what = f'"{shown(whole)}" is no network' if whole else "a network is missing"
        raise Malformed(what, _EXPECTED, _EXAMPLE) from None
    return len(packed) * 8, int.from_bytes(packed)


def _text(bits: int, number: int) -> str:
    return inet_ntop(AF_INET6 if bits == 128 else AF_INET, number.to_bytes(bits // 8))
