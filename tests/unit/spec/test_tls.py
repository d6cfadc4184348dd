import pytest

from ambassador.errors import ConfigError
from ambassador.model import Proto, Tls, Verify
from ambassador.spec import (
    format_endpoint,
    format_listening,
    parse_endpoint,
    parse_listening,
    parse_option,
)
from ambassador.spec.tls import format_peers, parse_peers


@pytest.mark.parametrize(
    ("text", "tls"),
    [
        ("tls://db:5432", Tls()),
        ("tls://[fd00::1]:5432?backup&weight=2&verify=server", Tls(Verify.SERVER)),
        ("tls://db:5432?tls=1.2&starttls=postgres", Tls(oldest="1.2", starttls="postgres")),
        ("tls://db:5432?proxy=v2&verify=none", Tls(Verify.NONE)),
        ("tcp://db:5432", None),
    ],
)
def test_an_endpoint_says_how_tls_is_spoken(text, tls):
    found = parse_endpoint(text)
    assert found.tls == tls
    assert found.proto is Proto.TCP
    assert format_endpoint(found) == text


@pytest.mark.parametrize(
    ("text", "tls"),
    [
        ("tls://:6379", Tls()),
        ("tls://127.0.0.1:6379?verify=server", Tls(Verify.SERVER)),
        ("tls://:6379?proxy=required&tls=1.2", Tls(oldest="1.2")),
        (":6379", None),
    ],
)
def test_a_listen_address_says_how_tls_is_spoken(text, tls):
    found = parse_listening(text)
    assert found.tls == tls
    assert format_listening(found) == text


@pytest.mark.parametrize(
    "text",
    [
        "tcp://db:1?verify=none",
        "tls://db:1?verify=nobody",
        "tls://db:1?verify",
        "tls://db:1?tls=1.1",
        "tls://db:1?starttls=redis",
        "udp://db:1?tls=1.2",
        "tls:///run/x.sock",
    ],
)
def test_what_makes_no_sense_at_an_endpoint_is_told(text):
    with pytest.raises(ConfigError) as caught:
        parse_endpoint(text)
    parse_endpoint(caught.value.problems[0].example)


@pytest.mark.parametrize(
    "text",
    [":1?verify=none", "tls://unix:///run/x", "tls://:1?starttls=smtp", "tls://name:1", "tls://"],
)
def test_what_makes_no_sense_where_a_route_listens_is_told(text):
    with pytest.raises(ConfigError) as caught:
        parse_listening(text)
    parse_listening(caught.value.problems[0].example)


def test_udp_speaks_no_tls():
    with pytest.raises(ConfigError, match="datagrams are carried in clear"):
        parse_option("listen", "tls://:53", Proto.UDP)
    with pytest.raises(ConfigError, match="the scheme tls contradicts the protocol UDP"):
        parse_endpoint("tls://db:53", proto=Proto.UDP)


@pytest.mark.parametrize(
    "text", ["client-server", "a,spiffe://x/*", "10.0.0.1,fd00::1", "*.example.org", "off"]
)
def test_peers_are_read_as_they_are_written(text):
    assert format_peers(parse_peers(text)) == text


@pytest.mark.parametrize("text", ["", "a,,b", "a b", "tcp://a:1", "a/b", "a:1", "spiffe:// x"])
def test_what_is_no_identity_is_told(text):
    with pytest.raises(ConfigError) as caught:
        parse_peers(text)
    parse_peers(caught.value.problems[0].example)
