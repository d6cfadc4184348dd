"""What the properties of the grammar are tried on: models, and text that nearly makes sense."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from hypothesis import strategies as st

from ambassador.core.names import named
from ambassador.model import Address, Endpoint, Inet, Pick, Proto, Route, Unix
from ambassador.spec import default_listen
from ambassador.spec.networks import EVERYBODY
from ambassador.spec.values import SHORTEST_INTERVAL

ports = st.integers(1, 65535)
labels = st.text("az09-_", min_size=1, max_size=8).map(lambda text: f"a{text}z")
names = st.lists(labels, min_size=1, max_size=3).map(".".join) | labels.map("{}.".format)
addresses = st.one_of(
    st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number))),
    st.integers(0, 2**128 - 1).map(lambda number: str(IPv6Address(number))),
    st.sampled_from(["::", "::1", "127.0.0.1", "0.0.0.0", "fe80::1%eth0"]),
)
paths = st.binary(min_size=1, max_size=30).filter(
    lambda path: b"\0" not in path and not path.endswith((b"/", b"/.", b"/.."))
)
paths = paths.filter(lambda path: path not in (b".", b".."))
sockets = paths.map(lambda path: Unix("/" + path.decode("utf-8", "surrogateescape")))
durations = st.one_of(
    st.floats(0.001, 1e6), st.integers(1, 100000).map(float), st.sampled_from([0.5, 60.0, 3600.0])
)
keepalives = st.integers(0, 32767).map(float)


@st.composite
def inets(draw: st.DrawFn, hosts: st.SearchStrategy[str], length: int | None = None) -> Inet:
    """An address with one port, or a range of `length` ports."""
    if length is None:
        length = draw(st.sampled_from([1, 1, 2, 5]))
    port = draw(st.integers(1, 65536 - length))
    return Inet(draw(hosts), port, port + length - 1 if length > 1 else 0)


hosts = st.one_of(names, addresses)
listens: st.SearchStrategy[Address] = st.one_of(inets(st.one_of(st.just(""), addresses)), sockets)


@st.composite
def endpoints(draw: st.DrawFn, proto: Proto = Proto.TCP, length: int | None = None) -> Endpoint:
    """An endpoint of `proto`; a unix socket now and then where it can be one."""
    socket = proto is Proto.TCP and length in (None, 1) and draw(st.integers(0, 4)) == 0
    address: Address = draw(sockets if socket else inets(hosts, length))
    proxy = draw(st.sampled_from([0, 1, 2])) if proto is Proto.TCP else 0
    return Endpoint(address, proto, draw(st.integers(1, 1000)), draw(st.booleans()), proxy)


@st.composite
def routes(draw: st.DrawFn) -> Route:
    """A route as a link variable with companions makes it."""
    proto = draw(st.sampled_from(Proto))
    length = draw(st.sampled_from([1, 1, 1, 3]))
    ends = draw(
        st.lists(
            endpoints(proto, length), min_size=1, max_size=4, unique_by=lambda end: end.address
        )
    )
    port = draw(st.integers(1, 65536 - length))
    listen: Address = default_listen(port, ends)
    if draw(st.booleans()):
        listen = draw(inets(st.one_of(st.just(""), addresses), length))
    elif proto is Proto.TCP and length == 1 and draw(st.booleans()):
        listen = draw(sockets)
    senders = (
        [(), EVERYBODY] if isinstance(listen, Unix) else [(), EVERYBODY, ("10.0.0.0/8", "fd00::1")]
    )
    alias = draw(st.text("abz059_.-", max_size=10).map("a{}".format))
    route = Route(
        alias,
        listen,
        tuple(ends),
        proto,
        draw(st.sampled_from(Pick)),
        source=draw(st.sampled_from([(), ("10.0.0.5",), ("10.0.0.5", "fd00::5")])),
        interval=draw(durations.filter(lambda seconds: seconds >= SHORTEST_INTERVAL)),
        rise=draw(st.integers(1, 999)),
        fall=draw(st.integers(1, 999)),
        alias=alias,
        port=port,
    )
    if proto is Proto.UDP:
        health = draw(st.sampled_from(["", "dns"]))
        return named([replace(route, idle=draw(durations), health=health)])[0]
    changed = replace(
        route,
        connect=draw(durations),
        proxy=draw(st.sampled_from(senders)),
        keepalive=draw(keepalives),
        health=draw(st.sampled_from(["", "tcp", "redis", "mysql", "dns", "http:/healthz?a=b"])),
    )
    return named([changed])[0]


_pieces = st.sampled_from(
    [
        *("tcp://", "udp://", "unix://", "http://", "://", "/", "//", ":", "::", "::1", "[", "]"),
        *("redis", "localhost", "10.0.0.1", "256.1.1.1", "fe80::1%eth0", "%", "%25", "%00", "%zz"),
        *("6379", "0", "65536", "7000-7003", "9-2", "-", "08", "1" * 5000, "\u0665"),
        *(
            ",",
            "?",
            "&",
            "=",
            "backup",
            "weight=",
            "weight=2",
            "weight=0",
            "proxy=v1",
            "proxy=from:",
            "bakup",
            "#",
            "@",
        ),
        *(" ", "\t", "\n", "\0", "\x1b[31m", "\udcff", "\ud800", "\xfc", "..", ".", "*", "a" * 300),
        *("5s", "ms", "off", "KiB", "1e9", "nan", "inf", "$(touch x)", "`id`", ";", "|", "'"),
    ]
)
nearly = st.lists(_pieces, max_size=6).map("".join)
odd_endpoints = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["tcp://", "TCP://", "udp://"]),
    st.sampled_from(["h", "H.", "10.0.0.1", "[FD00:0::1]", "[::ffff:1.2.3.4]", "[fe80::1%25e]"]),
    st.sampled_from([":1", ":65535", ":1-1", ":1-65535"]),
    st.sampled_from(["", "?backup", "?weight=1", "?weight=7&backup"]),
) | st.sampled_from(["unix:///%2f%61", "unix:////a//b", "unix:///%e4", "unix:///ü?weight=2"])
garbage = st.one_of(nearly, st.text(max_size=40))

_parts = st.sampled_from(
    [
        *("REDIS", "redis", "X", "", "A B", "\xe9", "KUBERNETES", "AMBASSADOR", "X_ENV_Y"),
        *("_PORT_", "_PORT", "_PORT_1_", "_PORT_0_", "_PORT_99999999_", "_PORT_01_", "_SERVICE"),
        *("1", "3", "_TCP", "_UDP", "_SCTP", "TCP", "UDP", "_START", "_END", "_PORT_END", "_ADDR"),
        *("_LISTEN", "_CONNECT", "_IDLE", "_PICK", "_KEEPALIVE", "_HEALTH", "_NAME", "_ENV_"),
        *("_SERVICE_HOST", "_SERVICE_PORT_1_TCP", "1" * 30),
    ]
)
link_names = st.builds(
    "{}_PORT_{}_{}{}".format,
    st.sampled_from(["A", "a", "B", "REDIS", "", "X Y", "A_ENV_B", "\x1b[1m", "\udcff"]),
    st.sampled_from(["1", "2", "3", "4", "6379", "0", "01", "65536", "9" * 30]),
    st.sampled_from(["TCP", "UDP", "SCTP"]),
    st.sampled_from(
        [
            *("", "", "", "_START", "_END", "_PORT_START", "_PORT_END", "_ADDR", "_LISTEN"),
            *("_CONNECT", "_IDLE", "_PICK", "_KEEPALIVE", "_FOO"),
        ]
    ),
)
variable_names = st.one_of(link_names, st.lists(_parts, min_size=1, max_size=5).map("".join))
values = st.one_of(
    garbage,
    st.sampled_from(["tcp://h:1", "tcp://h:3", "udp://h:1", "tcp://h:1-3", "3", "", ":1-3", "5s"]),
)
