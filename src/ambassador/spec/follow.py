"""The text of the authority that names the primary of a store: sentinel://s1:26379,s2/name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ambassador.errors import ConfigError, Problem
from ambassador.model import Endpoint, Failback, Follow, Inet, Promote, Proto, Route
from ambassador.spec.address import (
    format_address,
    is_ip,
    of_length,
    read_authority,
    read_host,
    read_ports,
)
from ambassador.spec.endpoint import format_endpoint
from ambassador.spec.health import REPLICAS, http_of
from ambassador.spec.text import Malformed, meant, refuse_blanks, shown, told
from ambassador.spec.values import format_duration, parse_duration, parse_word

__all__ = [
    "followed_problems",
    "format_follow",
    "format_none",
    "format_word",
    "parse_failback",
    "parse_follow",
    "parse_none",
    "parse_path",
    "parse_promote",
    "parse_tls",
    "parse_user",
    "remarks",
]

_PING = 10  # seconds between two signs of life of a Redis primary
_MOST = 32  # members; more are surely a mistake


class _Kind(NamedTuple):
    port: int  # of a member, if none is written
    name: str  # of the set, if none is written; empty: this kind has no name
    form: str


KINDS: Mapping[str, _Kind] = {
    "sentinel": _Kind(26379, "mymaster", "sentinel://HOST[:PORT],HOST,.../NAME"),
    "patroni": _Kind(8008, "", "patroni://HOST[:PORT],HOST,..."),
}
_EXPECTED = " or ".join(kind.form for kind in KINDS.values())
_EXAMPLE = "sentinel://s1:26379,s2,s3/mymaster"
_EXAMPLES = {"sentinel": _EXAMPLE, "patroni": "patroni://n0:8008,n1,n2"}
_PLAIN = Route("", Inet("", 1), ())
# Sentinel allows [A-Za-z0-9._-] in a name (sentinel.c, sentinelIsValidName... of SENTINEL MONITOR).
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}", re.ASCII)


def parse_follow(text: str, where: str = "follow") -> Follow | None:
    """Return the authority that `text` means, None for `off`. Raises ConfigError."""
    return None if text == "off" else told(where, text, _follow)


def format_follow(follow: Follow | None) -> str:
    """Return the text that means `follow`."""
    if follow is None:
        return "off"
    members = ",".join(format_address(member) for member in follow.members)
    return f"{follow.kind}://{members}" + (f"/{follow.name}" if follow.name else "")


def _follow(text: str) -> Follow:
    refuse_blanks(text)
    word, scheme, rest = text.partition("://")
    kind = KINDS.get(word)
    if kind is None or not scheme:
        what = f'"{shown(word)}" is nothing to follow{meant(word, KINDS)}'
        raise Malformed(what, _EXPECTED, _EXAMPLE)
    example = _EXAMPLES[word]
    hosts, slash, name = rest.partition("/")
    if slash and not kind.name:
        raise Malformed(f"{word} has no name after the members", kind.form, example)
    if slash and not _NAME.fullmatch(name):
        raise Malformed(f'"{shown(name)}" is not a name of a set', kind.form, example)
    members = []
    for part in hosts.split(","):
        try:
            member = _member(part, kind.port)
        except Malformed as found:
            raise Malformed(found.what, kind.form, example) from None
        if member in members:
            raise Malformed(f"{format_address(member)} is given twice", kind.form, example)
        members.append(member)
    if len(members) > _MOST:
        raise Malformed(f"has {len(members)} members, {_MOST} are possible", kind.form, example)
    return Follow(word, tuple(members), name or kind.name)


def _member(text: str, port: int) -> Inet:
    if not text:
        raise Malformed("a member of the list is empty")
    bare = ":" not in text or (text.startswith("[") and text.endswith("]"))
    host, ports = read_authority(f"{text}:{port}" if bare else text)
    first, last = read_ports(ports)
    if last:
        raise Malformed("a member has one port")
    return Inet(read_host(host), first)


def parse_none(text: str, where: str = "none") -> float | None:
    """Return how many seconds clients wait while there is no primary; None: as long as `connect`
    says; 0: they are refused. Raises ConfigError.
    """

    def read(text: str) -> float | None:
        word, given, value = text.partition("=")
        if text == "refuse":
            return 0.0
        if text == "hold":
            return None
        if word != "hold" or not given:
            words = ("hold", "refuse")
            what = f'"{shown(word)}" is no policy{meant(word, words)}'
            raise Malformed(what, "hold, hold=DURATION or refuse", "hold=10s")
        try:
            return parse_duration(value)
        except ConfigError as error:
            what = f"the time of hold {error.problems[0].what}"
            raise Malformed(what, "hold, hold=DURATION or refuse", "hold=10s") from None

    return told(where, text, read)


def format_none(none: float | None) -> str:
    """Return the text that means `none`."""
    if none is None:
        return "hold"
    return "refuse" if none == 0 else f"hold={format_duration(none)}"


def parse_promote(text: str, where: str = "promote") -> Promote:
    """Return when a new primary gets clients. Raises ConfigError."""
    return Promote(parse_word(text, [one.value for one in Promote], where))


def parse_failback(text: str, where: str = "failback") -> Failback:
    """Return whether a member that was left may be used again. Raises ConfigError."""
    return Failback(parse_word(text, [one.value for one in Failback], where))


def parse_user(text: str, where: str = "user") -> str:
    """Return the name of a user, empty for `off`. Redis and PostgreSQL accept such names; blanks
    are not allowed. Raises ConfigError.
    """

    def read(text: str) -> str:
        if len(text) > 128 or not text.isprintable() or " " in text or not text:
            raise Malformed("is not a name of a user", "up to 128 characters, no blanks", "probe")
        return "" if text == "off" else text

    return told(where, text, read)


def parse_path(text: str, where: str = "password_file") -> str:
    """Return the absolute path of a file, empty for `off`; the file is read when it is needed.
    Raises ConfigError, which does not show `text`, since that may be the password itself.
    """
    if text == "off":
        return ""
    if not text.startswith("/") or not text.isprintable() or len(text) > 4000:
        what = "is not an absolute path (it is not shown: it may be the password itself)"
        example = "/run/secrets/redis"
        raise ConfigError(Problem(where, what, "", "the path of a file with the password", example))
    return text


def format_word(word: str) -> str:
    """Return the text that means `word`, a user or a path."""
    return word or "off"


def parse_tls(text: str, where: str = "health_tls") -> str:
    """Return `yes`, the path of a file with authorities, or empty for no. Raises ConfigError."""

    def read(text: str) -> str:
        if text in {"no", "off"}:
            return ""
        if text != "yes" and not (text.startswith("/") and text.isprintable()):
            raise Malformed("is neither yes, no, nor an absolute path", "yes, no or a file", "yes")
        return text

    return told(where, text, read)


def followed_problems(route: Route, where: str) -> list[Problem]:
    """Return the problems of options of `route` that do not fit together, as far as they are about
    following a primary. `where` is the place of the route.
    """
    if not route.follows:
        return _useless(route, where)
    problems = []
    if route.follow is not None and route.health:
        what = f"follows {route.follow.kind}, so health={route.health} has no effect"
        problems.append(Problem(where, what, "", "one of the two: follow or health", "health=off"))
    kind = route.follow.kind if route.follow is not None else ""
    if kind != "sentinel" and route.promote is Promote.FAST:
        what = "promote=fast is for sentinels: without them a promotion is seen at once"
        problems.append(Problem(where, what, "", "", "promote=confirmed"))
    if kind != "sentinel":
        problems += [
            Problem(where, f"{key} is for sentinels, and none are followed", "", "", f"{key}=off")
            for key in ("sentinel_user", "sentinel_password_file")
            if getattr(route, key)
        ]
    if route.health in {"postgres-primary", "mysql-primary"} and not route.user:
        what = f"{route.health} needs a user: without a log-in a replica looks like a primary"
        problems.append(Problem(where, what, "", "user, and mostly password_file", "user=probe"))
    if route.follow is None and len(route.endpoints) == 1:
        what = f"health={route.health} chooses among endpoints, and there is one"
        first = format_endpoint(route.endpoints[0])
        example = f"endpoints={first},tcp://192.168.1.53:6379"
        expected = "every member, with commas between them"
        problems.append(Problem(where, what, "", expected, example))
    for endpoint in route.endpoints:
        if endpoint.backup or endpoint.weight != 1:
            what = "a followed route has one endpoint at a time: no weight, no backup"
            read = format_endpoint(endpoint)
            problems.append(Problem(where, what, read, "the address alone", _alone(route)))
        elif endpoint.proxy:
            what = "a followed route sends no PROXY header: its members are asked without one"
            read = format_endpoint(endpoint)
            problems.append(Problem(where, what, read, "the address alone", _alone(route)))
        elif not isinstance(endpoint.address, Inet) or endpoint.address.last:
            what = "a followed route leads to one port of a host"
            read = format_endpoint(endpoint)
            problems.append(Problem(where, what, read, "tcp://HOST:PORT", _alone(route)))
    if isinstance(route.listen, Inet) and route.listen.last:
        what = "a followed route listens on one port"
        read, one = format_address(route.listen), format_address(of_length(route.listen, 1))
        problems.append(Problem(where, what, read, "one port", f"listen={one}"))
    return problems


def _alone(route: Route) -> str:
    """Return the endpoints of `route` as members can be written."""
    found = [format_endpoint(Endpoint(of_length(one.address, 1))) for one in route.endpoints]
    return f"endpoints={','.join(dict.fromkeys(found))}"


def _useless(route: Route, where: str) -> list[Problem]:
    """Return a problem for each option that has no meaning if the route follows no primary."""
    if route.proto is Proto.UDP:
        return []
    problems = _replica_problems(route, where)
    keys = ["sentinel_user", "sentinel_password_file", "none", "promote", "failback"]
    if route.health not in REPLICAS:
        keys += ["user", "password_file", "health_tls"]
        if route.lag != _PLAIN.lag:
            what = "lag is how far a replica may be behind, and no probe here asks for that"
            expected = " or ".join(f"health={word}" for word in REPLICAS)
            problems.append(Problem(where, what, "", f"{expected} beside it", "lag=10s"))
    return problems + [
        Problem(
            where,
            f"{key} is for a route that follows a primary",
            expected="follow beside it",
            example=f"follow={_EXAMPLE}",
        )
        for key in keys
        if getattr(route, key) != getattr(_PLAIN, key)
    ]


def _replica_problems(route: Route, where: str) -> list[Problem]:
    """Return the problems of probes of http at another port, and of probes of replicas."""
    if http_of(route.health)[0]:
        what = f"{route.health} asks another port of the host, and a path has none"
        return [
            Problem(where, what, format_endpoint(one), "tcp://HOST:PORT", "health=tcp")
            for one in route.endpoints
            if not isinstance(one.address, Inet)
        ]
    if route.health not in REPLICAS:
        return []
    problems = []
    if route.health == "postgres-replica" and not route.user:
        what = "postgres-replica needs a user: without a log-in a replica looks like a primary"
        problems.append(Problem(where, what, "", "user, and mostly password_file", "user=probe"))
    problems += [
        Problem(where, "a replica is asked at one port of a host", format_endpoint(one),
                "tcp://HOST:PORT", _alone(route))
        for one in route.endpoints
        if not isinstance(one.address, Inet) or one.address.last
    ]  # fmt: skip
    return problems


def remarks(route: Route) -> list[str]:
    """Return notes on a route that is correct but may not be what was meant."""
    follow = route.follow
    if route.health == "redis-replica" and route.lag < _PING:
        text = (
            f"takes a replica out after {route.lag:g} s of silence, but a primary that is idle "
            f"sends something only every {_PING} s (repl-ping-replica-period)"
        )
        return [f"{route.name} {text}"]
    if follow is None:
        return []
    if follow.kind == "patroni":
        found = []
        if len(follow.members) == 1:
            text = "asks one Patroni only: while that does not answer, no switch is made"
            found.append(f"{route.name} {text}; write every member")
        if not route.user:
            text = "has no user, so PostgreSQL is not asked, and Patroni's answer counts for it"
            found.append(f"{route.name} {text}: with a user that may log in, both are asked")
        return found
    if len(follow.members) == 1:
        text = "asks one sentinel only: while that does not answer, no failover is followed"
        return [f"{route.name} {text}"]
    if len(follow.members) == 2 and all(is_ip(member.host) for member in follow.members):
        return [f"{route.name} asks two sentinels: both have to answer for a failover"]
    return []
