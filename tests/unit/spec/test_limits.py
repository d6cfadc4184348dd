import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.errors import ConfigError
from ambassador.model import Rate
from ambassador.spec.limits import format_limit, format_rate, parse_limit, parse_rate


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


@given(st.integers(1, 1_000_000), st.integers(1, 100_000))
def test_what_is_written_is_read_again(count, milliseconds):
    rate = Rate(count, milliseconds / 1000)
    assert parse_rate(format_rate(rate)) == rate
    assert parse_limit(format_limit(count)) == count


@pytest.mark.parametrize(
    ("parse", "text", "what"),
    [
        (parse_limit, "0", '"0" is no number from 1 to 1000000'),
        (parse_limit, "many", '"many" is no number'),
        (parse_limit, "", '"" is no number'),
        (parse_rate, "100", '"100" has no time after a /'),
        (parse_rate, "0/s", '"0" is no number'),
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
