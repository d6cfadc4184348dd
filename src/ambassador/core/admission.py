"""Which clients may come in: lists of networks put together, and the judgement of one client."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton

from ambassador.model import Admitted, Ranges
from ambassador.spec.networks import EVERYBODY, Network, network_of

__all__ = ["admits", "admitted", "host_of", "is_nobody", "senders_of"]

_MAPPED = "::ffff:"
_Ends = tuple[tuple[int, ...], tuple[int, ...]]  # firsts and lasts, as of Ranges


def admitted(allow: Iterable[Network], deny: Iterable[Network]) -> Admitted:
    """Return the networks that are in `allow` and not in `deny`."""
    allowed, denied = tuple(allow), tuple(deny)
    ipv4, ipv6 = (
        _without(_joined(allowed, ipv6=ipv6), _joined(denied, ipv6=ipv6)) for ipv6 in (False, True)
    )
    return Admitted(Ranges(*ipv4), Ranges(*ipv6))


@lru_cache(256)
def senders_of(proxy: tuple[str, ...]) -> Admitted | None:
    """Return the networks whose clients may send a PROXY header, from the option `proxy` of a
    route; None: every client may.
    """
    return None if proxy == EVERYBODY else admitted(map(network_of, proxy), ())


def is_nobody(who: Admitted) -> bool:
    """Tell whether `who` holds no network, so that no client may come in."""
    return not who.ipv4.firsts and not who.ipv6.firsts


def admits(who: Admitted, host: str) -> bool:
    """Tell whether the client at `host` may come in. `host` is an IP literal as accept(2) gives it,
    perhaps with a zone (`fe80::1%eth0`); an IPv4-mapped address is judged as IPv4.
    """
    if host.startswith(_MAPPED) and "." in host:
        host = host.removeprefix(_MAPPED)
    if ":" in host:
        ranges, packed = who.ipv6, inet_pton(AF_INET6, host.partition("%")[0])
    else:
        ranges, packed = who.ipv4, inet_pton(AF_INET, host)
    number = int.from_bytes(packed)
    place = bisect_right(ranges.firsts, number) - 1
    return place >= 0 and number <= ranges.lasts[place]


def host_of(client: str) -> str:
    """Return the IP literal of a client as `sessions` names it (`10.0.0.9:40312`, `[fd00::9]:1`);
    empty for a client of a unix socket.
    """
    host, colon, _ = client.rpartition(":")
    return host.strip("[]") if colon else ""


def _joined(networks: Iterable[Network], *, ipv6: bool) -> _Ends:
    """Return the networks of one family: sorted, and networks that touch are joined."""
    firsts: list[int] = []
    lasts: list[int] = []
    end = -2
    for first, last in sorted([(first, last) for six, first, last in networks if six is ipv6]):
        if first > end + 1:
            firsts.append(first)
            lasts.append(last)
            end = last
        elif last > end:
            lasts[-1] = end = last
    return tuple(firsts), tuple(lasts)


def _without(allowed: _Ends, denied: _Ends) -> _Ends:
    """Return the part of `allowed` that is not in `denied`, in one pass over both."""
    if not denied[0]:
        return allowed
    firsts: list[int] = []
    lasts: list[int] = []
    holes, place = list(zip(*denied, strict=True)), 0
    for first, last in zip(*allowed, strict=True):
        while place < len(holes) and holes[place][1] < first:
            place += 1
        begin, hole = first, place
        while hole < len(holes) and holes[hole][0] <= last:
            if begin < holes[hole][0]:
                firsts.append(begin)
                lasts.append(holes[hole][0] - 1)
            begin = holes[hole][1] + 1
            hole += 1
        if begin <= last:
            firsts.append(begin)
            lasts.append(last)
    return tuple(firsts), tuple(lasts)
