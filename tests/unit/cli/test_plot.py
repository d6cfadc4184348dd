import pytest

from ambassador.cli.plot import rate, spark


@pytest.mark.parametrize(
    ("values", "width", "line"),
    [
        ([], 3, "   "),
        ([0, 0], 3, " ▁▁"),
        ([1, 2, 4, 8], 4, "▂▃▅█"),
        ([8, 0.001], 2, "█▂"),
        ([9, 9, 1, 2], 2, "▅█"),
        ([1], 0, ""),
    ],
)
def test_the_largest_is_as_high_as_can_be(values, width, line):
    assert spark(values, width) == line


def test_a_rate_is_never_below_nothing():
    assert rate(30, 10, 2) == 10
    assert rate(5, 10, 2) == 0
    assert rate(5, 1, 0) == 0
