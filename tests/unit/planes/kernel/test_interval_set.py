"""How large sets are told to the kernel; it judges that in tests/kernel/test_interval_set.py."""

from itertools import count

from ambassador.model import Ranges
from ambassador.planes.kernel.entrance import Entrance, large
from ambassador.planes.kernel.interval_set import elements, interval_sets
from ambassador.planes.kernel.messages import messages

TOP = (1 << 32) - 1


def many(number: int) -> Ranges:
    places = range(0, 4 * number, 4)
    return Ranges(tuple(places), tuple(one + 1 for one in places))


def test_an_element_is_where_a_range_begins_and_one_behind_its_end():
    (found,) = elements(Ranges((0x0A000000,), (0x0AFFFFFF,)), 4)
    assert len(found) == 16 + 24
    assert found[12:16] == bytes([10, 0, 0, 0])
    assert found[28:32] == bytes([11, 0, 0, 0])
    assert found[-4:] == bytes([0, 0, 0, 1])  # NFT_SET_ELEM_INTERVAL_END
    (found,) = elements(Ranges((1,), (2,)), 16)
    assert len(found) == 28 + 36


def test_a_range_up_to_the_last_address_has_no_end():
    (found,) = elements(Ranges((TOP - 1,), (TOP,)), 4)
    assert len(found) == 16


def test_a_list_of_elements_is_never_larger_than_an_attribute_may_be():
    for size in (4, 16):
        found = list(elements(many(5000), size))
        assert len(found) > 1
        assert max(map(len, found)) < 65_532
        assert sum(map(len, found)) == 5000 * {4: 40, 16: 64}[size]


def test_all_of_it_is_one_transaction():
    numbers = count(1)
    wanted = [Entrance(False, many(2000), "one4"), Entrance(True, many(600), "one6")]
    whole = b"".join(interval_sets(wanted, lambda: next(numbers)))
    found = [(kind, number) for kind, number, *_ in messages(whole)]
    assert [kind for kind, _ in found] == [16, 0xA09, 0xA0C, 0xA0C, 0xA09, 0xA0C, 17]
    assert found[-2][1] == next(numbers) - 1


def test_only_large_sets_that_are_new_are_made_so():
    small, big, other = (Entrance(False, many(one), "one4") for one in (100, 500, 600))
    assert large([], [small, big, other, big._replace(target="udp4_30")]) == [
        big._replace(target="udp4_30"),
        other,
    ]
    assert large([big], [small, big]) == []
