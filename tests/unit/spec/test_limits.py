import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.errors import ConfigError
from ambassador.model import Limit, Proto, Rate
from ambassador.spec import parse_option
from ambassador.spec.limits import format_limit, format_rate, parse_ban, parse_limit, parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("100/s", Rate(100, 1)),
        ("10/1m", Rate(10, 60)),
        ("600/m", Rate(600, 60)),
        ("5/500ms", Rate(5, 0.5)),
        ("off", None),
    ],
)
def test_a_rate_is_a_number_in_a_time(text, rate):
    assert parse_rate(text) == rate


@given(st.integers(1, 1_000_000), st.integers(1, 100_000), st.integers(0, 100_000))
def test_what_is_written_is_read_again(count, milliseconds, wait):
    rate = Rate(count, milliseconds / 1000, wait / 1000)
    assert parse_rate(format_rate(rate)) == rate
    limit = Limit(count, wait / 1000)
    assert parse_limit(format_limit(limit)) == limit


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("1000", Limit(1000)),
        ("1000,refuse", Limit(1000)),
        ("1000,wait=2s", Limit(1000, 2.0)),
        ("off", None),
    ],
)
def test_who_is_too_many_is_refused_or_waits(text, limit):
    assert parse_limit(text) == limit


def test_for_a_rate_too_but_not_for_datagrams():
    assert parse_rate("100/s,wait=500ms") == Rate(100, 1, 0.5)
    for key, text in (("limit", "5,wait=2s"), ("rate", "100/s,wait=2s")):
        with pytest.raises(ConfigError) as caught:
            parse_option(key, text, Proto.UDP)
        (problem,) = caught.value.problems
        assert "wait is for TCP" in problem.what
        assert parse_option(key, problem.example, Proto.UDP)


@pytest.mark.parametrize(
    ("parse", "text", "what"),
    [
        (parse_limit, "0", '"0" is not a number from 1 to 1000000'),
        (parse_limit, "many", '"many" is not a number'),
        (parse_limit, "5,", '"" is neither wait=TIME nor refuse'),
        (parse_limit, "5,wiat=2s", 'did you mean "wait"?'),
        (parse_limit, "5,wait", '"wait" is neither wait=TIME nor refuse'),
        (parse_limit, "5,wait=soon", "wait is no duration"),
        (parse_rate, "5/s,wait=0", "wait must be more than 0"),
        (parse_rate, "off,wait=2s", "has a wait, but is off"),
        (parse_ban, "5/s,wait=2s", "the time after the / is no duration"),
        (parse_limit, "", '"" is not a number'),
        (parse_rate, "100", '"100" has no time after a /'),
        (parse_rate, "0/s", '"0" is not a number'),
        (parse_rate, "100/", "the time after the / "),
        (parse_rate, "100/x", "the time after the / is no duration"),
        (parse_rate, "100/0", "the time after the / must be more than 0"),
    ],
)
def test_what_makes_no_sense_is_named_and_the_example_can_be_typed(parse, text, what):
    with pytest.raises(ConfigError) as raised:
        parse(text, "variable X")
    (problem,) = raised.value.problems
    assert problem.where == "variable X"
    assert what in problem.what
    assert parse(problem.example)
