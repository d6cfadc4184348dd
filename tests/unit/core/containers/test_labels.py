import pytest

from ambassador.core.containers.labels import labelled
from ambassador.model import Endpoint, Fate, Inet, Proto
from ambassador.spec import format_endpoints

from .scene import container, replica


def labels(**values):
    return {f"ambassador.{key.replace('__', '.')}": value for key, value in values.items()}


def made(*containers):
    found = labelled(containers)
    assert not found.problems
    return {route.name: route for route in found.routes}


def test_a_container_makes_a_route_with_options():
    values = labels(listen="6379", health="redis", connect="2s", existing="cut", network="back")
    (route,) = made(container("redis", labels=values)).values()
    assert (route.name, route.listen, route.health, route.connect) == (
        "redis",
        Inet("", 6379),
        "redis",
        2.0,
    )
    assert route.existing.fate is Fate.CUT
    assert format_endpoints(route.endpoints) == "docker://redis:6379?network=back"
    assert route.origin == "labels of container redis"


def test_a_second_route_has_a_group_of_labels_and_its_own_name():
    values = labels(listen="5672", admin__listen="127.0.0.1:15672", admin__port="15673")
    routes = made(container("rabbit", labels=values))
    assert set(routes) == {"rabbit", "rabbit-admin"}
    assert routes["rabbit-admin"].listen == Inet("127.0.0.1", 15672)
    assert format_endpoints(routes["rabbit-admin"].endpoints) == "docker://rabbit:15673"


def test_replicas_of_a_service_are_one_endpoint_that_is_the_service():
    replicas = [replica("shop", "web", n) for n in (1, 2)]
    for one in replicas:
        one.labels["ambassador.listen"] = "80"  # type: ignore[index]
    (route,) = made(*replicas).values()
    assert (route.name, format_endpoints(route.endpoints)) == ("web", "docker://web.shop:80")


def test_containers_of_one_name_and_port_are_endpoints_of_one_route():
    values = labels(name="db", listen="5432")
    (route,) = made(container("a", labels=values), container("b", labels=values)).values()
    assert route.endpoints == (
        Endpoint(Inet("docker://a:5432", 5432)),
        Endpoint(Inet("docker://b:5432", 5432)),
    )


def test_udp_wake_and_weight_are_said_by_labels_too():
    values = labels(listen="53", proto="udp", wake="true", sleep="15m", weight="2", backup="1")
    (route,) = made(container("dns", labels=values)).values()
    assert route.proto is Proto.UDP
    expected = "docker://dns:53/udp?wake&sleep=15m&backup&weight=2"
    assert format_endpoints(route.endpoints) == expected


def test_a_name_alone_makes_no_route():
    assert labelled([container("db", labels=labels(name="db"))]).routes == ()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (labels(listen="99999"), "ambassador.listen: the port 99999"),
        (labels(listen="80", conect="5s"), 'unknown, did you mean "connect"'),
        (labels(listen="80", connect="soon"), "ambassador.connect: is no duration"),
        (labels(health="redis"), "ambassador.listen: is missing"),
        (labels(listen="80", port="x"), "ambassador.port:"),
        (labels(listen="80", sleep="1m"), "sleep without wake"),
        (labels(listen="80", wake="maybe"), "ambassador.wake:"),
        (labels(admin__listen="x"), "ambassador.admin.listen:"),
    ],
)
def test_what_is_wrong_is_told_with_the_container_and_others_work(values, words):
    good = container("good", labels=labels(listen="6379"))
    found = labelled([container("bad", labels=values), good])
    assert [p for p in found.problems if words in p and p.startswith("container bad: ")]
    assert "good" in {route.name for route in found.routes}


def test_of_two_that_want_one_port_the_first_has_it():
    values = labels(listen="80")
    found = labelled([container("b", labels=values), container("a", labels=values)])
    assert [route.name for route in found.routes] == ["a"]
    assert found.problems == ("container b: wants :80, which container a has already",)


def test_labels_that_contradict_each_other_are_told():
    one = container("a", labels=labels(name="x", listen="80", connect="1s"))
    two = container("b", labels=labels(name="x", listen="80", connect="2s"))
    found = labelled([one, two])
    assert len(found.routes[0].endpoints) == 1
    (problem,) = found.problems
    assert problem.startswith("container b: contradicts container a")
