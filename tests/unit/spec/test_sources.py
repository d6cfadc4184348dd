import pytest

from ambassador.errors import ConfigError
from ambassador.spec.sources import format_sources, parse_sources


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auto", ()),
        ("10.0.0.5", ("10.0.0.5",)),
        ("10.0.0.5,[fd00::5],fd00::6", ("10.0.0.5", "fd00::5", "fd00::6")),
    ],
)
def test_addresses_are_read_and_written_again(text, expected):
    assert parse_sources(text) == expected
    assert parse_sources(format_sources(expected)) == expected


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("db1", '"db1" is not an IP address'),
        ("10.0.0.5,", "an address is missing"),
        ("10.0.0.5,10.0.0.5", "10.0.0.5 is given twice"),
        ("10.0.0.5:80", '"10.0.0.5:80" is not an IP address'),
    ],
)
def test_what_is_no_list_of_addresses_is_told(text, what):
    with pytest.raises(ConfigError, match=what):
        parse_sources(text)
