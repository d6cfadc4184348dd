import pytest

from ambassador.errors import ConfigError
from ambassador.model import Endpoint, Inet, Proto
from ambassador.spec import format_endpoint, parse_endpoint
from ambassador.spec.container import Container, container_of, format_container, owned


@pytest.mark.parametrize(
    ("text", "canonical", "port"),
    [
        ("docker://redis:6379", "docker://redis:6379", 6379),
        ("docker://redis", "docker://redis", 0),
        ("DOCKER://web.shop:8080", "docker://web.shop:8080", 8080),
        ("podman://redis:1-3", "podman://redis:1-3", 1),
        ("docker://?label=ambassador.name=db", "docker://?label=ambassador.name=db", 0),
        ("docker://?label=a&label=b=c%2Cd", "docker://?label=a&label=b=c%2Cd", 0),
        ("docker://db?wake&network=back", "docker://db?network=back&wake", 0),
        ("docker://db?sleep=900&wake", "docker://db?wake&sleep=15m", 0),
        ("docker://dns:53/udp", "docker://dns:53/udp", 53),
        ("docker://dns/tcp", "docker://dns", 0),
        ("srv://_redis._tcp.example.com", "srv://_redis._tcp.example.com", 0),
        ("srv://_Redis._TCP.Example.com.", "srv://_redis._tcp.example.com", 0),
    ],
)
def test_each_form_has_one_canonical_text(text, canonical, port):
    endpoint = parse_endpoint(text)
    assert isinstance(endpoint.address, Inet)
    assert (endpoint.address.host, endpoint.address.port) == (canonical, port)
    assert format_endpoint(endpoint) == canonical
    assert parse_endpoint(canonical) == endpoint


def test_options_of_any_endpoint_stand_behind_its_own():
    endpoint = parse_endpoint("docker://web:80?weight=2&network=back&backup")
    assert endpoint == Endpoint(Inet("docker://web:80?network=back", 80), weight=2, backup=True)
    assert format_endpoint(endpoint) == "docker://web:80?network=back&backup&weight=2"
    assert parse_endpoint(format_endpoint(endpoint)) == endpoint


def test_the_protocol_is_that_of_the_route():
    assert parse_endpoint("docker://dns:53", proto=Proto.UDP).proto is Proto.UDP
    assert parse_endpoint("docker://dns:53/udp").proto is Proto.UDP
    assert parse_endpoint("srv://_dns._udp.example.com").proto is Proto.UDP


def test_a_container_without_a_port_has_the_routes():
    own = owned(parse_endpoint("docker://redis?wake"), Inet("", 6379))
    assert own.address == Inet("docker://redis:6379?wake", 6379)
    assert owned(own, Inet("", 1)) == own
    assert owned(parse_endpoint("tcp://h:1"), Inet("", 2)).address == Inet("h", 1)
    srv = parse_endpoint("srv://_redis._tcp.example.com")
    assert owned(srv, Inet("", 2)) == srv


def test_what_is_said_is_read_back():
    one = Container(
        "podman", "", 80, 82, Proto.UDP, ("a=b c", "d"), "my net", wake=True, sleep=90.0
    )
    assert container_of(format_container(one)) == one


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("docker://", "the name of the container is missing"),
        ("docker://?network=x", "the name of the container is missing"),
        ("docker://redis?label=a", "either a name or labels"),
        ("docker://re dis", "contains a blank"),
        ("docker://-x", "not the name of a container"),
        ("docker://redis:0", "not between 1 and 65535"),
        ("docker://redis:", "not a port number"),
        ("docker://redis/x", "follows the container"),
        ("docker://u:p@redis", "user name or password"),
        ("docker://redis?wake=1", '"wake" has no value'),
        ("docker://redis?wake&wake", "is given twice"),
        ("docker://redis?sleep=15m", "sleep without wake"),
        ("docker://redis?wake&sleep=1ms", "too short"),
        ("docker://redis?wake&sleep=soon", "is no duration"),
        ("docker://redis?network=", '"network" has no value'),
        ("docker://?label==x", "is no label"),
        ("docker://redis?netwrk=x", 'did you mean "network"'),
        ("tcp://redis:1?wake", 'the option "wake" is unknown'),
        ("dcoker://redis", 'did you mean "docker"'),
        ("srv://redis", "is not a name of an SRV record"),
        ("srv://", "the name is missing"),
        ("srv://_redis._tcp.example.com:6379", "the port is in the SRV record"),
    ],
)
def test_what_is_wrong_is_told_with_an_example_that_is_right(text, words):
    with pytest.raises(ConfigError) as caught:
        parse_endpoint(text, "X")
    (problem,) = caught.value.problems
    assert words in problem.what
    parse_endpoint(problem.example)


def test_the_protocol_of_a_route_is_not_contradicted():
    for text in ("docker://dns:53/tcp", "srv://_dns._tcp.example.com"):
        with pytest.raises(ConfigError, match="contradicts the protocol UDP"):
            parse_endpoint(text, "X", Proto.UDP)
