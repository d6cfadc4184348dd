"""What counting costs: of the kernel plane by taking it out of the rules, of the relay by itself.

A rate cannot show a hundredth. So the kernel is measured by the processor time of one thread that
sends a request from a socket of its own to another and the answer back: all that packets meet on
loopback, or between namespaces, happens within its own calls.
"""

from __future__ import annotations

import re
import socket
import subprocess
import time
import timeit
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ambassador.model import Proto
from ambassador.planes.kernel.layout import skeleton
from ambassador.planes.kernel.ruleset import Share, Way, count, lease, transaction
from bench import netns
from bench.bed import Bed
from bench.errors import Missing
from bench.loads.load import Load, Pace
from bench.loads.redis import TOOLS, run

__all__ = ["COUNTING"]

_LISTEN, _SERVICE = 7000, 6380
_PIECE = 500  # requests between two looks at the clock; the least of all pieces counts
_BYTES = b"x" * 36  # about a GET of redis-benchmark, and its answer
# The relay adds up what each side has sent: once for a request, once for its answer.
_ADDITIONS = 2
_COUNTS = re.compile(r"ct original proto-dst @(?:up|back)_\w+ ?|ct bytes > 0")
_BY_HAND = """\
table ip bench {{
  chain output {{
    type nat hook output priority -100;
    ip daddr {listen} tcp dport {port} dnat to {service}:{to}
  }}
  chain prerouting {{
    type nat hook prerouting priority dstnat;
    ip daddr {listen} tcp dport {port} dnat to {service}:{to}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    ct status dnat masquerade
  }}
}}
"""
_TRACKED = """\
table inet bench {
  chain input {
    type filter hook input priority 0;
    ct state invalid drop
  }
}
"""


def kernel(_load: Load, bed: Bed, pace: Pace) -> Mapping[str, float]:
    """Return the processor time of a request and its answer, in µs, with one set of rules after
    the other, and the share of counting in %.
    """
    if not bed.isolated:
        raise Missing("needs a network namespace, which this machine does not give us")
    found: dict[str, float] = {}
    places = {name: _places(f"{bed.name}{name}", bed.topology) for name in "abcde"}
    try:
        direct, tracked, translated, uncounted, whole = places.values()
        _load_rules(translated, _by_hand(translated))
        _load_rules(uncounted, _without_counting(_ours(uncounted)))
        _load_rules(whole, _ours(whole))
        cases = {"direct_us": direct, "translated_us": translated}
        if bed.topology == "shared":  # else what goes direct does not meet the ambassador's rules
            _load_rules(tracked, _TRACKED)
            cases["tracked_us"] = tracked
        cases |= {"uncounted_us": uncounted, "whole_us": whole}
        # Twice through all of them: a slow moment of the machine is not one case's alone.
        for _ in range(2):
            for name, where in cases.items():
                took = _request_us(where, name in ("direct_us", "tracked_us"), pace.seconds / 4)
                found[name] = min(found.get(name, took), took)
    finally:
        for name in places:
            netns.end_places(f"{bed.name}{name}")
    share = (found["whole_us"] - found["uncounted_us"]) / found["whole_us"]
    return {**found, "count_share": share * 100}


def relay(load: Load, bed: Bed, pace: Pace) -> Mapping[str, float]:
    """Return the relay's processor time of a GET, in µs, and the share in it of the statements
    that count its bytes.
    """
    whole = run(load, bed, pace)["cpu_us"]
    counting = _ADDITIONS * _addition_us()
    return {
        "uncounted_us": whole - counting,
        "whole_us": whole,
        "count_share": counting / whole * 100,
    }


def _ours(where: netns.Places) -> str:
    way = Way(Proto.TCP, _LISTEN, False, (Share(where.service_host, _SERVICE),))
    rules = skeleton() + lease(lasting=True)
    return rules + count([(Proto.TCP, _LISTEN)]) + transaction({}, {way.key: way})


def _without_counting(rules: str) -> str:
    text, number = _COUNTS.subn("", rules)
    if number != 5:  # bytes of TCP and UDP each way, and what makes conntrack count
        raise Missing(f"the kernel plane counts with {number} statements, not the 5 known here")
    return text


def _by_hand(where: netns.Places) -> str:
    return _BY_HAND.format(
        listen=where.ambassador_host, port=_LISTEN, service=where.service_host, to=_SERVICE
    )


def _places(name: str, topology: str) -> netns.Places:
    return netns.make_shared(name) if topology == "shared" else netns.make_three(name)


def _load_rules(where: netns.Places, rules: str) -> None:
    with netns.inside(where.ambassador):
        done = subprocess.run(
            ["nft", "-f", "-"], input=rules, check=False, capture_output=True, text=True
        )
    if done.returncode:
        raise Missing(f"nft: {done.stderr.strip().splitlines()[0]}")


def _request_us(where: netns.Places, direct: bool, seconds: float) -> float:
    with _connected(where, direct) as (client, service):
        best, deadline = float("inf"), time.monotonic() + seconds
        while time.monotonic() < deadline or best == float("inf"):
            began = time.thread_time_ns()
            for _ in range(_PIECE):
                client.send(_BYTES)
                service.recv(64)
                service.send(_BYTES)
                client.recv(64)
            best = min(best, time.thread_time_ns() - began)
    return best / _PIECE / 1000


@contextmanager
def _connected(where: netns.Places, direct: bool) -> Iterator[tuple[socket.socket, socket.socket]]:
    with netns.inside(where.service), socket.create_server(("0.0.0.0", _SERVICE)) as listening:
        listening.settimeout(5)
        to = (where.service_host, _SERVICE) if direct else (where.ambassador_host, _LISTEN)
        with netns.inside(where.consumer):
            client = socket.create_connection(to, 5)
        with client, listening.accept()[0] as service:
            for end in (client, service):
                end.settimeout(None)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield client, service


class _Side:
    __slots__ = ("received",)

    def __init__(self) -> None:
        self.received = 0

    def add(self, count: int) -> None:
        self.received += count


def _addition_us() -> float:
    side, number = _Side(), 100_000
    return min(timeit.repeat(lambda: side.add(36), number=number, repeat=5)) / number * 1e6


COUNTING = (
    Load(
        "packets",
        "counting",
        "a request and its answer in the kernel",
        ("direct_us", "tracked_us", "translated_us", "uncounted_us", "whole_us", "count_share"),
        kernel,
        (("nft", "nftables"),),
        takes=lambda peer: peer.name == "kernel",
        most_rounds=2,
        weight=4,
    ),
    Load(
        "counting",
        "counting",
        "a GET in the relay, and its counting",
        ("uncounted_us", "whole_us", "count_share"),
        relay,
        TOOLS,
        topologies=("shared",),
        takes=lambda peer: peer.name == "relay",
        number=50,
        most_rounds=2,
    ),
)
