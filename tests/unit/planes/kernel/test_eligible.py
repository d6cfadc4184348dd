"""Why a route is not in the kernel."""

import pytest

from ambassador.core.plan import ChangeRoute
from ambassador.model import Endpoint, Existing, Fate, Inet, Limit, Pick, Proto, Rate, Route, Unix
from ambassador.planes.kernel.eligible import (
    Abilities,
    forwardable,
    unable,
    unable_to_end,
    unsuited,
)

EVERYTHING = Abilities(nft="/usr/sbin/nft", missing="", no_cut="", no_ipv4="", no_ipv6="")
CUT = Existing(Fate.CUT)


def route(*hosts, listen="", **options):
    endpoints = tuple(Endpoint(Inet(host, 6379)) for host in hosts or ("10.0.0.1",))
    return Route("redis", Inet(listen, 6379), endpoints, **options)


@pytest.mark.parametrize("listen", ["", "::", "0.0.0.0", "192.168.1.5", "fd00::5"])
@pytest.mark.parametrize("host", ["10.0.0.1", "fd00::1", "db", "db.example.org"])
def test_plain_routes_are_suited(listen, host):
    assert unsuited(route(host, listen=listen)) == ""
    assert unable(route(host, listen=listen), EVERYTHING) == ""


@pytest.mark.parametrize(
    ("unfit", "reason"),
    [
        (Route("a", Unix("/a"), (Endpoint(Inet("db", 1)),)), "listens on a unix socket"),
        (Route("a", Inet("", 1), (Endpoint(Unix("/a")),)), "does not forward to unix:///a"),
        (route(listen="127.0.0.1"), "listens on loopback"),
        (route(listen="127.8.8.8"), "listens on loopback"),
        (route(listen="::1"), "listens on loopback"),
        (route(listen="localhost"), "listens on loopback"),
        (route(listen="fe80::1%eth0"), "link-local"),
        (route("10.0.0.1", "127.0.0.1"), "does not forward to 127.0.0.1:6379"),
        (route("localhost"), "does not forward to localhost:6379"),
        (route("fe80::1%eth0"), "does not forward to [fe80::1%eth0]:6379"),
        (route("224.0.0.1"), "does not forward to"),
        (route("0.0.0.0"), "does not forward to"),
        (route("10.0.0.1", "10.0.0.2", pick=Pick.LEAST), "pick=least"),
        (route("several-addresses", pick=Pick.LEAST), "pick=least"),
        (route(source=("10.0.0.5",)), "source addresses"),
        (route(limit=Limit(1000)), "limit=1000 is counted by the relay"),
        (route(limit_client=Limit(50)), "limit_client=50 is counted"),
        (route(rate=Rate(100, 1)), "rate=100/s is counted"),
        (route(ban=Rate(10, 60)), "ban=10/m is counted"),
        (route(proxy=("10.0.0.0/8",)), "a PROXY header is read"),
        (
            Route("a", Inet("", 1), (Endpoint(Inet("db", 1), proxy=2),)),
            "a PROXY header is sent to db:1",
        ),
    ],
)
def test_what_only_the_relay_can_do_is_named(unfit, reason):
    assert reason in unsuited(unfit)


def test_an_allow_list_leaves_a_route_to_the_kernel():
    assert unsuited(route(allow=("10.0.0.0/8",), deny=("10.1.0.0/16",))) == ""


def test_least_of_one_needs_no_counting():
    endpoints = (Endpoint(Inet("10.0.0.1", 1)), Endpoint(Inet("10.0.0.2", 1), backup=True))
    assert unsuited(Route("a", Inet("", 1), endpoints, pick=Pick.LEAST)) == ""


def lacking(**reasons):
    return Abilities(
        **{"nft": "", "missing": "", "no_cut": "", "no_ipv4": "", "no_ipv6": "", **reasons}
    )


@pytest.mark.parametrize(
    ("hosts", "abilities", "reason"),
    [
        (("10.0.0.1",), lacking(missing="no CAP"), "no CAP"),
        (("10.0.0.1",), lacking(no_ipv4="forward is 0"), "forward is 0"),
        (("10.0.0.1",), lacking(no_ipv6="forward6 is 0"), ""),
        (("fd00::1",), lacking(no_ipv6="forward6 is 0"), "forward6 is 0"),
        (("fd00::1",), lacking(no_ipv4="forward is 0"), ""),
        (("db",), lacking(no_ipv4="forward is 0"), ""),  # it may have an IPv6 address
        (("db",), lacking(no_ipv4="forward is 0", no_ipv6="forward6 is 0"), "forward is 0"),
        (("10.0.0.1", "fd00::1"), lacking(no_ipv6="forward6 is 0"), ""),
    ],
)
def test_what_the_host_lacks_is_named_where_it_matters(hosts, abilities, reason):
    assert unable(route(*hosts), abilities) == reason


def test_cutting_needs_more_than_forwarding():
    abilities = lacking(no_cut="CAP_NET_RAW is missing")
    assert unable(route(), abilities) == ""
    assert (
        unable(route(existing=CUT), abilities) == "existing=cut needs more: CAP_NET_RAW is missing"
    )
    drain = route(existing=Existing(Fate.DRAIN, seconds=30))
    assert unable(drain, abilities).startswith("existing=drain=30s needs more")
    udp = Endpoint(Inet("10.0.0.1", 53), Proto.UDP)
    datagrams = Route("dns", Inet("", 53), (udp,), Proto.UDP, existing=CUT)
    assert unable(datagrams, abilities) == ""


@pytest.mark.parametrize(
    ("address", "may"),
    [("10.0.0.1", True), ("8.8.8.8", True), ("fd00::1", True), ("127.0.0.1", False),
     ("::1", False), ("::", False), ("fe80::1", False), ("169.254.1.1", False),
     ("ff02::1", False)],
)  # fmt: skip
def test_forwardable(address, may):
    assert forwardable(address) is may


@pytest.mark.parametrize(
    ("policy", "proto", "no_cut", "reason"),
    [
        (None, Proto.TCP, "no", ""),
        (Existing(), Proto.TCP, "no", ""),
        (Existing(Fate.CUT), Proto.UDP, "no", ""),
        (Existing(Fate.CUT), Proto.TCP, "", ""),
        (Existing(Fate.CUT), Proto.TCP, "no", "redis: existing=cut needs more: no"),
    ],
)
def test_what_a_change_wants_ended_must_be_possible(policy, proto, no_cut, reason):
    one = Route("redis", Inet("", 6379), (Endpoint(Inet("10.0.0.1", 1), proto),), proto)
    abilities = Abilities(nft="", missing="", no_cut=no_cut, no_ipv4="", no_ipv6="")
    assert unable_to_end(ChangeRoute(one, one, policy), abilities) == reason
