from collections import Counter

from ambassador.core.srv import Record, groups, shares

A, B = Record(10, 3, 6379, "a"), Record(10, 1, 6380, "b")
BACK = Record(20, 0, 7000, "c")
KNOWN = {"a": ["10.0.0.1"], "b": ["10.0.0.2"], "c": ["10.0.0.3"]}


def test_the_lowest_priority_comes_first():
    assert groups([BACK, B, A]) == ((B, A), (BACK,))


def test_a_target_of_a_dot_says_that_there_is_no_such_service():
    assert groups([Record(0, 0, 0, ".")]) == ()


def test_each_has_its_share():
    found = shares((A, B), KNOWN)
    assert Counter(found) == {"10.0.0.1#6379": 3, "10.0.0.2#6380": 1}


def test_what_has_no_address_has_no_share():
    assert shares((A, B), {"b": ["10.0.0.2"]}) == ("10.0.0.2#6380",)
    assert shares((A, B), {}) == ()


def test_a_weight_of_0_has_the_least_share_and_great_weights_no_endless_list():
    found = shares((Record(1, 0, 1, "a"), Record(1, 65535, 2, "b")), KNOWN)
    assert len(found) < 80
    assert Counter(found)["10.0.0.1#1"] == 1


def test_every_address_of_a_target_is_there():
    found = shares((A,), {"a": ["10.0.0.1", "10.0.0.9"]})
    assert set(found) == {"10.0.0.1#6379", "10.0.0.9#6379"}
