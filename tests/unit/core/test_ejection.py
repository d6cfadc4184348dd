"""When an address is left out."""

import pytest

from ambassador.core.ejection import IN_A_ROW, ejects


@pytest.mark.parametrize(
    ("in_a_row", "ejected", "addresses", "what"),
    [
        (IN_A_ROW - 1, 0, 2, False),
        (IN_A_ROW, 0, 2, True),
        (IN_A_ROW, 1, 2, False),  # half of them stay
        (IN_A_ROW, 0, 1, False),
        (IN_A_ROW, 1, 4, True),
        (IN_A_ROW, 2, 5, False),
    ],
)
def test_each_case(in_a_row, ejected, addresses, what):
    assert ejects(in_a_row, ejected, addresses) is what
