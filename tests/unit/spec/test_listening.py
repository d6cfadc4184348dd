import pytest

from ambassador.errors import ConfigError
from ambassador.model import Inet, Proto, Unix
from ambassador.spec import format_listening, parse_listening, parse_option
from ambassador.spec.listening import Listening
from ambassador.spec.networks import EVERYBODY


@pytest.mark.parametrize(
    ("text", "listening", "canonical"),
    [
        (":7000", Listening(Inet("", 7000)), ":7000"),
        ("7000?proxy=required", Listening(Inet("", 7000), EVERYBODY), ":7000?proxy=required"),
        (
            "[::1]:7000?proxy=from:10.0.0.0/8,::ffff:192.168.1.7,10.0.0.0/8",
            Listening(Inet("::1", 7000), ("10.0.0.0/8", "192.168.1.7")),
            "[::1]:7000?proxy=from:10.0.0.0/8,192.168.1.7",
        ),
        (
            "unix:///run/x.sock?proxy=required",
            Listening(Unix("/run/x.sock"), EVERYBODY),
            "unix:///run/x.sock?proxy=required",
        ),
    ],
)
def test_a_listen_address_with_its_options_has_one_canonical_form(text, listening, canonical):
    assert parse_listening(text) == listening
    assert format_listening(listening) == canonical
    assert parse_listening(canonical) == listening


@pytest.mark.parametrize(
    ("text", "what", "example"),
    [
        (":7000?", "an option is empty", ":7000?proxy=required"),
        (":7000?backup", 'has no option "backup"', ":7000?proxy=required"),
        (":7000?prxy=required", 'no option "prxy", did you mean "proxy"?', ":7000?proxy=required"),
        (":7000?proxy", 'proxy is ""', ":7000?proxy=from:10.0.0.0/8"),
        (":7000?proxy=requird", 'did you mean "required"?', ":7000?proxy=from:10.0.0.0/8"),
        (":7000?proxy=from:", "is followed by networks", ":7000?proxy=from:10.0.0.0/8"),
        (":7000?proxy=from:@/x", "is followed by networks", ":7000?proxy=from:10.0.0.0/8"),
        (":7000?proxy=from:10.0.0.1/8", "has host bits", ":7000?proxy=from:10.0.0.0/8"),
        (":7000?proxy=required&proxy=required", "is given twice", ":7000?proxy=required"),
        (":x?proxy=required", "is not a port number", ":6379"),
        ("unix:///x?proxy=from:10.0.0.0/8", "have no address", "unix:///x?proxy=required"),
    ],
)
def test_what_is_wrong_is_said_with_a_line_to_type(text, what, example):
    with pytest.raises(ConfigError) as caught:
        parse_listening(text)
    (problem,) = caught.value.problems
    assert what in problem.what
    assert problem.example == example
    parse_listening(problem.example)


@pytest.mark.parametrize("text", [":5353?proxy=required", "unix:///run/x.sock"])
def test_a_udp_route_takes_neither_a_header_nor_a_path(text):
    with pytest.raises(ConfigError) as caught:
        parse_option("listen", text, Proto.UDP)
    assert caught.value.problems[0].example == ":5353"
