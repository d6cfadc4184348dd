import pytest

from ambassador.core.names import find, forms, is_called, named
from ambassador.errors import ConfigError
from ambassador.model import Endpoint, Inet, Proto, Route, Unix


def route(alias, port, proto=Proto.TCP, listen=None):
    endpoint = Endpoint(Inet("h", 1), proto)
    return Route("", listen or Inet("", port), (endpoint,), proto, alias=alias, port=port)


def names(*routes):
    return [route.name for route in named(routes)]


def test_an_alias_with_one_port_is_the_name():
    assert names(route("redis", 6379), route("db", 5432)) == ["redis", "db"]


def test_an_alias_with_two_ports_has_them_in_its_names():
    assert names(route("redis", 6379), route("db", 1), route("redis", 16379)) == [
        "redis-6379",
        "db",
        "redis-16379",
    ]


def test_tcp_and_udp_on_one_port_have_the_protocol_in_their_names():
    assert names(route("dns", 53), route("dns", 53, Proto.UDP), route("dns", 853)) == [
        "dns-53-tcp",
        "dns-53-udp",
        "dns-853",
    ]


def test_an_alias_that_looks_like_a_long_name_keeps_apart():
    found = names(route("a", 1), route("a", 2), route("a-1", 9))
    assert found == ["a-1-tcp", "a-2", "a-1-9"]


def test_what_no_form_tells_apart_is_numbered():
    assert names(route("a", 1), route("a", 1), route("a", 1)) == [
        "a-1-tcp",
        "a-1-tcp-2",
        "a-1-tcp-3",
    ]


def test_a_route_without_port_in_its_name_takes_that_of_its_listen_address():
    routes = (route("a", 0, listen=Inet("", 5)), route("a", 0, listen=Unix("/x")))
    assert names(*routes) == ["a-5", "a"]


def test_naming_twice_changes_nothing():
    once = named([route("dns", 53), route("dns", 53, Proto.UDP), route("a", 1)])
    assert named(once) == once


def test_the_forms_go_from_short_to_long():
    assert forms("dns", 53, "udp") == ("dns", "dns-53", "dns-53-udp")
    assert forms("dns", 0, "udp") == ("dns",)


@pytest.mark.parametrize("name", ["my_db", "my-db", "MY-DB", "my_db-1", "my-db-1-tcp", "my-db-tcp"])
def test_case_and_dashes_do_not_matter_for_being_called(name):
    assert is_called(name, "my_db", 1, "tcp")


@pytest.mark.parametrize("name", ["my", "mydb", "my_db-2", "my_db-1-udp", ""])
def test_another_name_is_another(name):
    assert not is_called(name, "my_db", 1, "tcp")


ROUTES = named(
    [
        route("redis", 6379, listen=Inet("127.0.0.1", 7000)),
        route("dns", 53),
        route("dns", 53, Proto.UDP),
    ]
)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("redis", 0),
        ("REDIS", 0),
        ("redis-6379", 0),
        ("redis-6379-tcp", 0),
        ("dns-53-udp", 2),
        ("dns-tcp", 1),
    ],
)
def test_a_route_is_found_by_each_of_its_names(name, index):
    assert find(ROUTES, name) is ROUTES[index]


def test_the_exact_name_comes_first():
    routes = named([route("a", 1), route("a-1", 5)])
    assert find(routes, "a-1").alias == "a-1"


def test_a_name_that_means_several_is_an_error_that_lists_them():
    with pytest.raises(ConfigError) as raised:
        find(ROUTES, "dns", "argument dns")
    (problem,) = raised.value.problems
    assert problem.where == "argument dns"
    assert problem.what == '"dns" means 2 routes'
    assert problem.expected == "one of dns-53-tcp, dns-53-udp"


def test_a_name_that_is_none_gets_the_nearest():
    with pytest.raises(ConfigError) as raised:
        find(ROUTES, "rediss")
    (problem,) = raised.value.problems
    assert problem.what == 'there is no route "rediss", did you mean "redis"?'
    assert problem.expected == "one of redis, dns-53-tcp, dns-53-udp"


def test_nothing_is_found_among_nothing():
    with pytest.raises(ConfigError, match='there is no route "x"'):
        find((), "x")
