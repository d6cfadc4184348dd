"""What is said of a route, and what is known of it."""

from dataclasses import replace

import pytest

from ambassador.model import Admin, Endpoint, Health, Hold, Inet, Proto, Route, Unix
from ambassador.planes.kernel.entry import Flow, FlowState
from ambassador.planes.kernel.evidence import Doubt, Fault, Kind, Suspect
from ambassador.planes.kernel.route import KernelRoute

BOTH = (False, True)
DOUBT = Doubt(Fault(Kind.UNREACHABLE, "it is silent"), 5.0)


def carried(*hosts, listen="", **options):
    endpoints = tuple(Endpoint(Inet(host, 7000)) for host in hosts)
    one = KernelRoute(Route("redis", Inet(listen, 6379), endpoints), **options)
    one.learn_literals()
    return one


def installed(one, families=BOTH):
    one.ways = one.wanted(families)
    return one.status()


@pytest.mark.parametrize(
    ("hosts", "listen", "why"),
    [
        (("10.0.0.1",), "", "127.0.0.1 and IPv6 through the relay"),
        (("fd00::1",), "", "IPv4 and ::1 through the relay"),
        (("10.0.0.1",), "0.0.0.0", "127.0.0.1 through the relay"),
        (("10.0.0.1",), "192.0.2.1", ""),
    ],
)
def test_what_the_kernel_does_not_carry_is_said(hosts, listen, why):
    status = installed(carried(*hosts, listen=listen))
    assert (status.plane, status.why) == ("kernel", why)


def test_a_keepalive_of_its_own_is_said_to_have_no_effect():
    one = carried("10.0.0.1", listen="192.0.2.1")
    one.route = replace(one.route, keepalive=30.0)
    assert installed(one).why == "keepalive=30s has no effect in the kernel"
    one.route = replace(one.route, proto=Proto.UDP)
    assert installed(one).why == ""


def test_both_families_leave_loopback_alone_to_the_relay():
    one = carried("db")
    one.learn("db", ("10.0.0.1", "fd00::1"))
    assert installed(one).why == "127.0.0.1 and ::1 through the relay"


def test_a_refusal_is_all_there_is_to_say():
    one = carried("10.0.0.1", refusal="no right to it")
    assert one.wanted(BOTH) == {}
    assert one.belonging() == frozenset()
    assert (installed(one).plane, installed(one).why) == ("relay", "no right to it")


def test_without_a_way_the_reason_is_the_name_the_endpoints_or_their_addresses():
    assert installed(carried("db")).why == "the address of db is not known"
    out = carried("10.0.0.1")
    out.doubts[Suspect(out.route.endpoints[0])] = DOUBT
    assert installed(out).why == "no endpoint can be reached at the moment"
    here = carried("db")
    here.learn("db", ("127.0.0.1",))
    assert installed(here).why == "no address of its endpoints can be forwarded to"


def test_a_family_whose_ways_are_out_is_the_relays_and_the_reason_is_said():
    one = carried("db")
    one.learn("db", ("10.0.0.1", "fd00::1"))
    dropped = Doubt(Fault(Kind.FIREWALL, "chain f drops forwarded packets"), 5.0)
    one.doubts[Suspect(None, "", False)] = dropped
    assert installed(one).why == (
        "IPv4 and ::1 through the relay (chain f drops forwarded packets)"
    )
    one.doubts[Suspect(None, "", True)] = dropped
    assert (installed(one).plane, installed(one).why) == ("relay", dropped.fault.why)
    assert len(one.wanted(doubted=False)) == 2


def test_new_addresses_of_a_name_end_the_doubt_about_it_alone():
    one = carried("db", "10.0.0.1")
    one.doubts = {Suspect(endpoint): DOUBT for endpoint in one.route.endpoints}
    one.learn("db", ("10.0.0.2",))
    assert list(one.doubts) == [Suspect(one.route.endpoints[1])]
    assert one.forgive


def test_what_is_named_no_longer_is_forgotten():
    one = carried("db", "10.0.0.1")
    one.learn("db", ("10.0.0.2",))
    one.doubts = {Suspect(endpoint): DOUBT for endpoint in one.route.endpoints}
    one.route = Route("redis", one.route.listen, (Endpoint(Inet("10.0.0.9", 7000)),))
    one.learn_literals()
    assert one.known == {"10.0.0.9": ("10.0.0.9",)}
    assert one.doubts == {}


def test_numbers_of_all_ports_are_added_up():
    endpoint = Endpoint(Inet("10.0.0.1", 7000, 7001))
    one = KernelRoute(Route("ftp", Inet("", 2000, 2001), (endpoint,)))
    one.count(
        {
            "opened_tcp": {2000: (1, 60), 2001: (2, 120), 2002: (9, 9)},
            "up_tcp": {2000: (5, 500)},
            "back_tcp": {2001: (7, 700)},
            "up_udp": {2000: (9, 9)},
        }
    )
    assert (one.opened, one.to_upstream, one.to_client) == (3, 500, 700)


def test_watching_ends_once():
    ended = []
    one = carried("db")
    one.unwatch.append(lambda: ended.append("db"))
    one.stop_watching()
    one.stop_watching()
    assert ended == ["db"]


def test_a_path_has_no_ports():
    assert KernelRoute(Route("a", Unix("/a"), (Endpoint(Inet("db", 1)),))).ports == ()
    assert KernelRoute(Route("a", Inet("", 5), (Endpoint(Unix("/a")),))).hosts == ()
    assert carried("db").ports == ((Proto.TCP, 6379),)


def operated(*, hold=None, **admins):
    """Return a route of 10.0.0.1 and 10.0.0.2 with these words for `a` and `b`."""
    ends = (
        Endpoint(Inet("10.0.0.1", 7000), **admins.get("a", {})),
        Endpoint(Inet("10.0.0.2", 7000), **admins.get("b", {})),
    )
    one = KernelRoute(Route("redis", Inet("", 6379), ends, hold=hold))
    one.learn_literals()
    return one


A, B = ("10.0.0.1", 7000), ("10.0.0.2", 7000)


@pytest.mark.parametrize(
    ("options", "shares", "belongs", "resting"),
    [
        ({}, {A, B}, {A, B}, set()),
        ({"hold": Hold()}, set(), {A, B}, {A, B}),
        ({"a": {"admin": Admin.DRAIN}}, {B}, {A, B}, {A}),
        ({"a": {"admin": Admin.MAINT}}, {B}, {B}, set()),
        ({"a": {"health": Health.UNHEALTHY}}, {B}, {B}, set()),
        ({"a": {"admin": Admin.DRAIN, "health": Health.UNHEALTHY}}, {B}, {B}, set()),
        ({"a": {"admin": Admin.DRAIN}, "b": {"admin": Admin.DRAIN}}, set(), {A, B}, {A, B}),
    ],
)
def test_where_new_flows_go_and_old_ones_stay(options, shares, belongs, resting):
    one = operated(**options)
    ways = one.wanted([False])
    assert {(s.address, s.port) for way in ways.values() for s in way.shares} == shares
    assert one.belonging() == belongs
    assert one.resting() == resting


def test_a_held_route_and_one_without_a_usable_endpoint_say_so():
    assert installed(operated(hold=Hold())).why == "held"
    both = {"admin": Admin.MAINT}
    assert installed(operated(a=both, b=both)).why == "no endpoint takes new sessions"


def test_open_flows_are_counted_by_endpoint():
    one = operated()
    port, left = (Proto.TCP, 6379), ("10.0.0.9", 7000)
    one.tally({port: {A: 2, B: 1, left: 4}, (Proto.TCP, 80): {A: 9}})
    assert one.open == 7
    known = {address.host: number for address, number in one.open_by_endpoint.items()}
    assert known == {"10.0.0.1": 2, "10.0.0.2": 1}
    assert one.status().open_by_endpoint == one.open_by_endpoint


def test_a_flow_is_told_with_its_endpoint_and_whether_that_has_left():
    one = operated()
    one.belongs = one.belonging()
    view = one.view(flow(A), 100.0)
    assert (view.id, view.client, view.address) == ("k7", "10.0.0.8:4000", "10.0.0.1:7000")
    assert (view.endpoint, view.state, view.age) == (one.route.endpoints[0], "open", 90.0)
    left = one.view(flow(("10.0.0.9", 7000), FlowState.CONNECTING), 100.0)
    assert (left.endpoint, left.state) == (None, "leaving")
    assert one.view(flow(B, FlowState.CONNECTING), 100.0).state == "waiting"


def flow(upstream, state=FlowState.ESTABLISHED):
    client, listen, nat = ("10.0.0.8", 4000), ("10.0.0.7", 6379), ("10.0.0.7", 4000)
    ends = (client, listen, nat, upstream)
    return Flow(7, 2, Proto.TCP, *ends, state, 1, 60, 2, 120, 10.0, 0.0, True, b"")


def test_what_leads_to_an_endpoint_of_the_relay_is_no_stranger():
    here, gone = ("10.0.0.1", 7000), ("10.0.0.2", 7000)
    assert carried("10.0.0.1").strangers({here, gone}) == {gone}
    assert carried("10.0.0.1", "a.name").strangers({here, gone}) == frozenset()


def test_all_datagrams_are_for_the_relay():
    one = carried("10.0.0.1")
    one.route = replace(one.route, proto=Proto.UDP)
    assert one.strangers({("10.0.0.1", 7000)}) == {("10.0.0.1", 7000)}
