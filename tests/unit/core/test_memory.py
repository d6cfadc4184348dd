"""How many bytes sessions may hold unsent, all together and each of them."""

from ambassador.core.memory import LEAST, Memory, bound

MIB = 1 << 20


def test_the_bound_is_what_is_asked_for_or_a_share_of_what_is_allowed():
    assert bound(3 * MIB, 8 * MIB) == 3 * MIB
    assert bound(None, 80 * MIB) == 10 * MIB
    assert bound(None, 1 << 40) == 64 * MIB


def test_where_there_is_plenty_each_may_hold_its_buffer():
    memory = Memory(64 * MIB, 256 << 10, 512 << 10)
    memory.add(32 * MIB)
    assert (memory.allowed, memory.reading) == (256 << 10, 512 << 10)


def test_each_may_hold_less_the_less_is_free_but_never_nothing():
    memory = Memory(MIB, 256 << 10, 512 << 10)
    memory.add(MIB - 100_000)
    assert (memory.allowed, memory.reading) == (100_000, 12_500)
    memory.add(200_000)
    assert memory.allowed == memory.reading == LEAST
    memory.add(-300_000)
    assert memory.allowed == 200_000


def test_one_read_takes_an_eighth_of_what_is_free():
    memory = Memory(64 * MIB, 256 << 10, 2 * MIB)
    assert memory.reading == 2 * MIB
    memory.add(56 * MIB)
    assert memory.reading == MIB
    memory.add(8 * MIB)
    assert memory.reading == LEAST


def test_many_that_stand_still_share_what_there_is():
    memory = Memory(MIB, 256 << 10, 512 << 10)
    held = [0] * 100
    for _ in range(1000):
        for index, has in enumerate(held):
            if has < memory.allowed:
                held[index] += 1024
                memory.add(1024)
    assert max(held) - min(held) <= 1024
    assert sum(held) <= MIB


def test_what_need_not_be_kept_has_no_reserve():
    memory = Memory(1000, 500, 500)
    assert memory.has(1000)
    memory.add(600)
    assert not memory.has(401)
