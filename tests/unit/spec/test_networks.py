import pytest

from ambassador.errors import ConfigError
from ambassador.spec.networks import format_networks, parse_network_lines, parse_networks


def test_networks_addresses_and_files_are_read_as_they_are_written():
    text = "10.0.0.0/8,192.168.1.7,fd00::/8,@/etc/ambassador/allow"
    assert parse_networks(text) == tuple(text.split(","))
    assert format_networks(parse_networks(text)) == text


def test_a_network_is_kept_in_its_plain_form_and_once():
    text = "10.0.0.0/32,FD00:0::/8,::ffff:10.1.0.0/112,10.0.0.0"
    assert parse_networks(text) == ("10.0.0.0", "fd00::/8", "10.1.0.0/16")


def test_all_and_off():
    assert parse_networks("all") == ("0.0.0.0/0", "::/0")
    assert format_networks(("0.0.0.0/0", "::/0")) == "all"
    assert parse_networks("off") == ()
    assert format_networks(()) == "off"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("10.0.0.1/8", "10.0.0.1/8 has host bits: 10.0.0.0/8 or 10.0.0.1 is meant"),
        ("fd00::1/8", "fd00::1/8 has host bits: fd00::/8 or fd00::1 is meant"),
        ("10.0.0.0/33", 'the prefix "33" of 10.0.0.0/33 is not a number from 0 to 32'),
        ("10.0.0.0/", 'the prefix "" of 10.0.0.0/ is not a number from 0 to 32'),
        ("10.0.0.0/08", 'the prefix "08"'),
        ("fd00::/129", "is not a number from 0 to 128"),
        ("10.0.0", '"10.0.0" is no network'),
        ("010.0.0.1", '"010.0.0.1" is no network'),
        ("office", '"office" is no network'),
        ("10.0.0.1,", "a network is missing"),
        ("", "a network is missing"),
        ("fe80::1%eth0", "is no network"),
        ("@allow", '"allow" is not an absolute path'),
        ("@", '"" is not an absolute path'),
    ],
)
def test_what_is_no_network_is_named_and_the_example_can_be_typed(text, what):
    with pytest.raises(ConfigError) as raised:
        parse_networks(text, "variable X_ALLOW")
    (problem,) = raised.value.problems
    assert problem.where == "variable X_ALLOW"
    assert what in problem.what
    assert problem.expected
    assert parse_networks(problem.example)


def test_a_finding_in_a_file_has_its_line():
    with pytest.raises(ConfigError, match=r"f, line 3: 10\.0\.0\.1/8 has host bits"):
        parse_network_lines("10.0.0.0/8\n# all\nfd00::/8 10.0.0.1/8\n", "f")


@pytest.mark.parametrize("text", ["", "\n\n", "# nobody yet\n , \n"])
def test_a_file_without_a_network_is_refused(text):
    with pytest.raises(ConfigError, match="f: names no network"):
        parse_network_lines(text, "f")
