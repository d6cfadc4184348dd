"""When a replica keeps up."""

import pytest

from ambassador.core.follow.replica import Fact, lacking


@pytest.mark.parametrize(
    ("fact", "what"),
    [
        (Fact(True, True, 0.0), ""),
        (Fact(True, True, 10.0), ""),
        (Fact(True, True, 10.1), "10.1 s behind (lag is 10 s)"),
        (Fact(True, False, 3.0), ""),
        (Fact(True, False, 30.0), "30.0 s behind, and does not hear from its primary"),
        (Fact(True), "an unknown time behind"),
        (Fact(False, True, 0.0), "it is no replica"),
    ],
)
def test_each_case(fact, what):
    found = lacking(fact, 10.0)
    assert what in found and bool(found) == bool(what)
