from ambassador.core.precedence import settled
from ambassador.model import Endpoint, Inet, Proto, Route, Snapshot


def route(name, port, proto=Proto.TCP, origin="", listen=None):
    return Route(
        name,
        listen or Inet("", port),
        (Endpoint(Inet("h", port), proto),),
        proto,
        alias=name,
        port=port if origin.startswith("env") else 0,
        origin=origin or name,
    )


def test_a_route_gives_way_to_one_of_its_name_that_came_before_and_a_note_says_so():
    first = Snapshot("a", (route("redis", 6379, origin="environment variable X"),))
    second = Snapshot("b", (route("redis", 7000, origin="f, line 2"), route("db", 5432)), ("n",))
    one, two = settled([first, second])
    assert one == first
    assert [one.name for one in two.routes] == ["db"]
    assert two.notes == ("n", "f, line 2 is not used: environment variable X comes before it")


def test_the_long_form_of_a_name_is_the_same_name():
    first = Snapshot("a", (route("redis", 6379, origin="env"),))
    assert settled([first, Snapshot("b", (route("redis-6379", 1),))])[1].routes == ()
    assert len(settled([first, Snapshot("b", (route("redis-1", 1),))])[1].routes) == 1


def test_tcp_and_udp_of_one_name_are_two_routes():
    first = Snapshot("a", (route("dns", 53),))
    assert len(settled([first, Snapshot("b", (route("dns", 53, Proto.UDP),))])[1].routes) == 1


def test_within_a_source_nothing_gives_way():
    both = Snapshot("a", (route("redis", 1), route("redis", 2)))
    assert settled([both]) == (both,)
