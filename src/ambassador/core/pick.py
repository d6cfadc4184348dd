"""Choose endpoints for a new session: the order in which to try them.

Failures count before the rule of the route: an endpoint that failed lately is tried after the
others. Among endpoints with the same record, backups come last. Among equals, `pick` decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd, log

from ambassador.model import Endpoint, Pick
from ambassador.spec import format_address

__all__ = ["arrange", "cycle", "order"]


def cycle(weights: Sequence[int]) -> tuple[int, ...]:
    """Return one round of indexes in which index i stands weights[i] times (divided by their
    greatest common divisor), spread as evenly as possible.

    Each place goes to the index that lags most behind its share; of equals, to the lower index.
    """
    if len(weights) == 1:  # as for most routes
        return (0,)
    divisor = gcd(*weights) if weights else 1
    shares = [weight // divisor for weight in weights]
    total = sum(shares)
    credit = [0] * len(shares)
    places = []
    for _ in range(total):
        credit = [have + share for have, share in zip(credit, shares, strict=True)]
        index = max(range(len(credit)), key=credit.__getitem__)
        credit[index] -= total
        places.append(index)
    return tuple(places)


def order(
    endpoints: Sequence[Endpoint],
    pick: Pick,
    *,
    turn: int,
    places: Sequence[int],
    open_sessions: Sequence[int],
    failed: Sequence[bool],
    chance: float,
    client: str = "",
) -> tuple[int, ...]:
    """Return every index of `endpoints`, the first to try first.

    `turn` counts the sessions of the route, `places` is `cycle` of the weights, `open_sessions` and
    `failed` have one entry per endpoint, `chance` is in [0, 1), `client` is the address of the
    client, by which `hash` chooses.
    """
    indexes = range(len(endpoints))
    if pick is Pick.FIRST:
        liked = list(indexes)
    elif pick is Pick.HASH:
        liked = sorted(indexes, key=lambda i: -_affinity(client, *_named(endpoints[i])))
    elif pick is Pick.LEAST:
        liked = sorted(indexes, key=lambda i: open_sessions[i] / endpoints[i].weight)
    else:
        start = turn % len(places) if pick is Pick.ROUNDROBIN else int(chance * len(places))
        liked = list(dict.fromkeys((*places[start:], *places[:start])))
    return tuple(sorted(liked, key=lambda i: (failed[i], endpoints[i].backup)))


def arrange(
    addresses: Sequence[str],
    pick: Pick,
    *,
    turn: int,
    open_sessions: Mapping[str, int],
    chance: float,
    client: str = "",
) -> tuple[str, ...]:
    """Return `addresses` of one endpoint's name, the first to try first: each gets the same share
    of the endpoint's sessions.

    Addresses of the other family come last: they are other ways to the same hosts. `turn` counts
    the sessions of the endpoint, `chance` is in [0, 1). With `first` the order stays as it is.
    """
    if len(addresses) < 2:
        return tuple(addresses)
    ipv6 = ":" in addresses[0]
    family = [one for one in addresses if (":" in one) == ipv6]
    others = [one for one in addresses if (":" in one) != ipv6]
    if pick is Pick.HASH:
        family.sort(key=lambda one: -_affinity(client, one, 1))
    elif pick is Pick.LEAST:
        family.sort(key=lambda one: open_sessions.get(one, 0))
    elif pick is not Pick.FIRST:
        start = turn % len(family) if pick is Pick.ROUNDROBIN else int(chance * len(family))
        family = [*family[start:], *family[:start]]
    return (*family, *others)


def _named(endpoint: Endpoint) -> tuple[str, int]:
    return format_address(endpoint.address), endpoint.weight


def _affinity(client: str, name: str, weight: int) -> float:
    """Return how strongly `client` belongs to the endpoint called `name`: the endpoint with the
    highest value gets the client, by weight. An endpoint that is added or removed changes only its
    own clients (rendezvous hashing, Thaler and Ravishankar 1998).
    """
    from hashlib import blake2b  # noqa: PLC0415 (2 ms; only where a route picks by it)

    digest = blake2b(f"{client}\n{name}".encode(), digest_size=8).digest()
    return -weight / log((int.from_bytes(digest, "big") + 1) / (2**64 + 2))
