"""What counting costs is measured with our own rules, less what counts in them."""

import pytest

from ambassador.planes.kernel.layout import skeleton
from bench.errors import Missing
from bench.loads.counting import _without_counting


def test_only_what_counts_is_taken_out_of_the_rules():
    rules = _without_counting(skeleton())
    for line in (
        "meta l4proto tcp accept",
        "meta l4proto tcp tcp flags & (syn | rst) == 0 accept",
        "ct direction original goto up",
        "meta l4proto tcp ct original proto-dst @opened_tcp",
    ):
        assert f"    {line}\n" in rules
    assert len(rules.splitlines()) == len(skeleton().splitlines())


def test_rules_that_count_in_another_way_are_not_taken_for_ours():
    with pytest.raises(Missing, match="counts with 4 statements"):
        _without_counting(skeleton().replace("ct bytes > 0", ""))
