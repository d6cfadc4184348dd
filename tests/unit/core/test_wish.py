"""What the operator wants, laid over what the sources say."""

import pytest

from ambassador.core.wish import Wish, difference, effective, judged, without
from ambassador.errors import ConfigError
from ambassador.model import Admin, Desired, Endpoint, Finding, Health, Hold, Inet, Proto, Route

A, B, C = (Endpoint(Inet(f"db{name}", 6379)) for name in "abc")


def route(name="redis", port=6379, endpoints=(A, B)):
    return Route(name, Inet("", port), endpoints, alias=name, port=port, origin=f"variable {name}")


def wish(of=None, **fields):
    of = of or route()
    return Wish(of.proto, of.listen, of.name, who="ann", when=0.0, **fields)


def lay(*wishes, over=()):
    desired = Desired(over or (route(),))
    return effective(desired, {one.key: one for one in wishes}).routes


def test_without_wishes_everything_is_as_the_sources_say():
    assert lay() == (route(),)


def test_moved():
    (found,) = lay(wish(endpoints=(C,)))
    assert found.endpoints == (C,)
    assert found.origin == "variable redis"


def test_admin_goes_by_the_address_as_it_is_written():
    (found,) = lay(wish(admin=((B.address, Admin.DRAIN),)))
    assert [endpoint.admin for endpoint in found.endpoints] == [Admin.READY, Admin.DRAIN]


def test_held():
    assert lay(wish(hold=Hold(5.0, 2)))[0].hold == Hold(5.0, 2)


def test_removed():
    other = route("other", 7000)
    assert lay(wish(removed=True), over=(route(), other)) == (other,)


def test_added_and_then_changed_like_any_other():
    added = route("added", 7000, (C,))
    found = lay(wish(added, added=added, hold=Hold()))
    assert [one.name for one in found] == ["redis", "added"]
    assert found[1].hold == Hold()


def test_a_route_of_a_source_stands_where_one_was_added():
    assert lay(wish(added=route("added", 6379, (C,)))) == (route(),)


def test_an_added_route_gets_a_name_of_its_own():
    added = route("redis", 7000, (C,))
    assert [one.name for one in lay(wish(added, added=added))] == ["redis-6379", "redis-7000"]


def test_an_added_route_cannot_take_an_address():
    added = Route("added", Inet("127.0.0.1", 6379), (C,), alias="added", port=6379)
    with pytest.raises(ConfigError, match="which belongs to variable redis"):
        lay(wish(added, added=added))


def test_a_route_cannot_be_moved_to_itself():
    with pytest.raises(ConfigError, match="where it listens itself"):
        lay(wish(endpoints=(Endpoint(Inet("127.0.0.1", 6379)),)))


def test_a_wish_for_a_route_that_is_not_there_waits():
    assert lay(wish(route("gone", 7000), hold=Hold())) == (route(),)


def test_verdicts_go_by_route_and_address():
    key = route().key
    desired = judged(
        Desired((route(),)), {(key, B.address): Finding(Health.UNHEALTHY, ("10.0.0.2",))}
    )
    assert [e.health for e in desired.routes[0].endpoints] == [Health.UNKNOWN, Health.UNHEALTHY]
    assert [e.down for e in desired.routes[0].endpoints] == [(), ("10.0.0.2",)]
    assert judged(desired, {}) is desired


def test_without():
    one, other = wish(hold=Hold()), wish(route("other", 7000), hold=Hold())
    assert without({one.key: one, other.key: other}, [one.key]) == {other.key: other}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"endpoints": (C,)}, "moved"),
        ({"admin": ((A.address, Admin.MAINT),)}, "dba:6379 in maint"),
        ({"hold": Hold()}, "held"),
        ({"removed": True}, "removed"),
        ({"endpoints": (C,), "hold": Hold()}, "moved, held"),
    ],
)
def test_the_difference_is_told_with_what_the_source_says(fields, text):
    assert difference(route(), wish(**fields)) == (
        f"{text} by ann at 1970-01-01 00:00:00 UTC; "
        "variable redis says tcp://dba:6379,tcp://dbb:6379"
    )


def test_the_difference_of_an_added_route_is_that_it_is_there():
    assert difference(None, wish(added=route())) == "added by ann at 1970-01-01 00:00:00 UTC"


def test_no_wish_no_difference():
    assert difference(route(), None) == ""
    assert difference(route(), wish()) == ""
    assert difference(route(), wish(added=route())) == ""


def test_what_is_empty():
    assert wish().empty
    assert not wish(endpoints=()).empty
    assert wish().key == (Proto.TCP, Inet("", 6379))
