import pytest

from ambassador.core.ranges import in_ranges


def line(port, host="10.0.0.1", name="web", end="plane kernel"):
    return port, f"{name}-{port}  :{port} -> {host}:{port + 10000}  {end}"


def test_ports_that_follow_each_other_are_one_line():
    assert in_ranges(line(port) for port in range(7000, 8500)) == [
        "web-7000-8499  :7000-8499 -> 10.0.0.1:17000-18499  plane kernel  (1500 routes)"
    ]


def test_the_order_they_come_in_does_not_matter():
    lines = [line(port) for port in (7104, 7101, 7102, 7100, 7103)]
    (one,) = in_ranges(lines)
    assert one.startswith("web-7100-7104  :7100-7104 -> 10.0.0.1:17100-17104")


def test_a_number_that_is_told_of_each_in_a_reason_is_a_range_too():
    lines = [(p, f"a-{p}  :{p} -> h:{p}  plane relay (not to h:{p})") for p in range(1, 4)]
    assert in_ranges(lines) == ["a-1-3  :1-3 -> h:1-3  plane relay (not to h:1-3)  (3 routes)"]


@pytest.mark.parametrize(
    "lines",
    [
        [line(1), line(2)],
        [line(1), line(3), line(5)],
        [line(1), line(2, end="plane relay"), line(3)],
        [line(1), line(2, host="10.0.0.7"), line(3)],
        [line(port, host=f"10.0.0.{port}") for port in range(1, 6)],
        [line(port, host=f"[fd00::{port}]") for port in range(1, 6)],
        [(port, f"a-{port}  :{port} -> h:{9 - port}") for port in range(1, 6)],
        [line(53, name="a"), line(53, name="b"), line(53, name="c")],
        [],
    ],
)
def test_what_is_no_range_stays_as_it_is(lines):
    assert in_ranges(lines) == [text for _, text in lines]


def test_others_stay_where_they_stood():
    lines = [line(1, name="a"), line(10), line(80, name="z"), line(11), line(12)]
    assert [one.split()[0] for one in in_ranges(lines)] == ["a-1", "web-10-12", "z-80"]
