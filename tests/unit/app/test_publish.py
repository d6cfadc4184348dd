import pytest

from ambassador.app.publish import publication
from ambassador.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "ports", "assignment"),
    [
        ("redis", "6379", "PUBLISHED_REDIS_PORT_6379_TCP=docker://redis:6379"),
        ("my-web.1", "8080:80", "PUBLISHED_MY_WEB_1_PORT_8080_TCP=docker://my-web.1:80"),
        ("dns", "5353:53/udp", "PUBLISHED_DNS_PORT_5353_UDP=docker://dns:53/udp"),
        ("podman://redis", "7000:6379", "PUBLISHED_REDIS_PORT_7000_TCP=podman://redis:6379"),
    ],
)
def test_what_is_typed_becomes_a_route(name, ports, assignment):
    assert publication(name, ports).assignment == assignment


@pytest.mark.parametrize(
    ("name", "ports"),
    [("redis", "x"), ("redis", "1-2"), ("redis", "80:0"), ("redis", "80/sctp"), ("-x", "80")],
)
def test_what_makes_no_sense_is_an_error_with_an_example(name, ports):
    with pytest.raises(ConfigError) as caught:
        publication(name, ports)
    assert caught.value.problems[0].expected
