"""When a loss of routes is too large to be taken for meant."""

import pytest

from ambassador.core.loss import most_lost
from ambassador.model import Endpoint, Inet, Route


def routes(*ports):
    return [Route(f"r{n}", Inet("", n), (Endpoint(Inet("h", n)),)) for n in ports]


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        ((1, 2, 3), (1,), ("r2", "r3")),
        ((1, 2, 3, 4), (1,), ("r2", "r3", "r4")),
        ((1, 2), (), ("r1", "r2")),
        ((1, 2), (1,), ()),
        ((1, 2, 3, 4), (1, 2), ()),
        ((1,), (), ()),  # an empty file is told by what asks for at least one route
        ((), (), ()),
        ((1, 2, 3), (4, 5, 6), ()),  # replaced by others: that was meant
        ((1, 2, 3), (1, 2, 3, 4), ()),
    ],
)
def test_most_of_several_and_not_replaced(before, after, lost):
    assert most_lost(routes(*before), routes(*after)) == lost
