"""From routes and what is known of their endpoints to ways."""

import pytest

from ambassador.model import Endpoint, Inet, Pick, Proto, Resolve, Route, Unix
from ambassador.planes.kernel.evidence import Suspect
from ambassador.planes.kernel.ruleset import Share, Way
from ambassador.planes.kernel.ways import active, belonging, ways

BOTH = (False, True)
PORT = Inet("", 6379)
KNOWN = {
    "10.0.0.1": ("10.0.0.1",),
    "10.0.0.2": ("10.0.0.2",),
    "fd00::1": ("fd00::1",),
    "db": ("10.0.1.1", "10.0.1.2", "fd00::11"),
    "here": ("127.0.0.1",),
}


def route(*endpoints, listen=PORT, **options):
    return Route("redis", listen, endpoints, **options)


def to(host, port=7000, **options):
    return Endpoint(Inet(host, port), **options)


def found(route, out=(), families=BOTH):
    return {way.key: way for way in ways(route, KNOWN, out, families)}


def test_an_address_is_reached_in_its_own_family():
    assert ways(route(to("10.0.0.1")), KNOWN, (), BOTH) == (
        Way(Proto.TCP, 6379, False, (Share("10.0.0.1", 7000),)),
    )
    assert [way.ipv6 for way in ways(route(to("fd00::1")), KNOWN, (), BOTH)] == [True]
    assert ways(route(to("fd00::1")), KNOWN, (), (False,)) == ()


def test_a_name_is_spread_over_all_its_addresses():
    four, six = ways(route(to("db")), KNOWN, (), BOTH)
    assert four.shares == (Share("10.0.1.1", 7000), Share("10.0.1.2", 7000))
    assert six.shares == (Share("fd00::11", 7000),)


def test_the_addresses_of_an_endpoint_share_its_weight():
    (four,) = ways(route(to("db", weight=3), to("10.0.0.1")), KNOWN, (), (False,))
    assert [share.weight for share in four.shares] == [3, 3, 2]


def test_a_family_that_one_endpoint_lacks_is_left_to_the_relay():
    assert set(found(route(to("10.0.0.1"), to("db")))) == {(False, Proto.TCP, 6379)}
    assert found(route(to("10.0.0.1"), to("fd00::1"))) == {}


@pytest.mark.parametrize("host", ["unknown", "here"])
def test_without_an_address_to_forward_to_there_is_no_way(host):
    assert found(route(to(host))) == {}
    assert found(route(to(host), to("10.0.0.1"))) == {}


def test_what_is_out_has_no_share_and_a_backup_takes_over():
    first, second, backup = to("10.0.0.1"), to("10.0.0.2"), to("db", backup=True)
    whole = route(first, second, backup)
    gone = [Suspect(endpoint) for endpoint in whole.endpoints]
    assert active(whole.endpoints, ()) == [first, second]
    assert active(whole.endpoints, gone[:1]) == [second]
    assert active(whole.endpoints, gone[:2]) == [backup]
    assert active(whole.endpoints, gone) == []
    (way,) = ways(whole, KNOWN, gone[:2], (False,))
    assert {share.address for share in way.shares} == {"10.0.1.1", "10.0.1.2"}
    assert found(whole, gone) == {}


def test_one_address_of_a_name_may_be_out_alone():
    endpoint = to("db")
    (way,) = ways(route(endpoint), KNOWN, {Suspect(endpoint, "10.0.1.1")}, (False,))
    assert [share.address for share in way.shares] == ["10.0.1.2"]
    both = {Suspect(endpoint, "10.0.1.1"), Suspect(endpoint, "10.0.1.2")}
    assert set(found(route(endpoint), both)) == {(True, Proto.TCP, 6379)}


def test_a_family_whose_ways_are_out_has_none():
    whole = route(to("db"))
    assert set(found(whole, {Suspect(None, "", False)})) == {(True, Proto.TCP, 6379)}
    assert found(whole, {Suspect(None, "", False), Suspect(None, "", True)}) == {}


def test_first_is_the_first_address_of_the_first_endpoint():
    four, six = ways(route(to("db"), to("10.0.0.1"), pick=Pick.FIRST), KNOWN, (), BOTH)
    assert (four.shares, six.shares) == ((Share("10.0.1.1", 7000),), (Share("fd00::11", 7000),))


def test_by_chance_only_where_there_is_a_choice():
    (alone,) = ways(route(to("10.0.0.1"), pick=Pick.RANDOM), KNOWN, (), BOTH)
    (four,) = ways(route(to("db"), pick=Pick.RANDOM), KNOWN, (), (False,))
    assert (alone.random, four.random) == (False, True)


@pytest.mark.parametrize(
    ("listen", "hosts"),
    [
        ("", {False: "", True: ""}),
        ("::", {False: "", True: ""}),
        ("0.0.0.0", {False: ""}),
        ("192.0.2.1", {False: "192.0.2.1"}),
        ("2001:db8::1", {True: "2001:db8::1"}),
    ],
)
def test_where_it_listens(listen, hosts):
    there = ways(route(to("db"), listen=Inet(listen, 6379)), KNOWN, (), BOTH)
    assert {way.ipv6: way.host for way in there} == hosts


def test_a_range_has_a_way_for_each_port():
    endpoint = Endpoint(Inet("10.0.0.1", 9000, 9002))
    there = ways(route(endpoint, listen=Inet("", 2000, 2002)), KNOWN, (), BOTH)
    assert [(way.port, way.shares[0].port) for way in there] == [
        (2000, 9000), (2001, 9001), (2002, 9002)
    ]  # fmt: skip


@pytest.mark.parametrize(("idle", "seconds"), [(60, 60), (0.2, 1), (2.5, 3), (3e7, 2_000_000)])
def test_idle_is_whole_seconds_that_the_kernel_can_count(idle, seconds):
    endpoint = Endpoint(Inet("10.0.0.1", 53), Proto.UDP)
    datagrams = Route("dns", Inet("", 53), (endpoint,), Proto.UDP, idle=idle)
    (way,) = ways(datagrams, KNOWN, (), BOTH)
    assert way.idle == seconds


def test_everything_belongs_that_is_named_whether_it_answers_or_not():
    whole = route(to("db"), to("10.0.0.1", 5), to("10.0.0.2", backup=True), to("unknown"))
    assert belonging(whole, KNOWN) == {
        ("10.0.1.1", 7000), ("10.0.1.2", 7000), ("fd00::11", 7000),
        ("10.0.0.1", 5), ("10.0.0.2", 7000),
    }  # fmt: skip


def test_a_unix_socket_has_neither():
    listening = Route("a", Unix("/a"), (to("10.0.0.1"),))
    assert ways(listening, KNOWN, (), BOTH) == ()
    assert belonging(listening, KNOWN) == frozenset()


def test_with_first_a_name_has_the_first_address_that_answers():
    one, other = to("db"), to("10.0.0.1")
    (way,) = ways(route(one, other, resolve=Resolve.FIRST), KNOWN, (), (False,))
    assert way.shares == (Share("10.0.1.1", 7000), Share("10.0.0.1", 7000))
    out = {Suspect(one, "10.0.1.1")}
    (way,) = ways(route(one, resolve=Resolve.FIRST), KNOWN, out, (False,))
    assert way.shares == (Share("10.0.1.2", 7000),)
