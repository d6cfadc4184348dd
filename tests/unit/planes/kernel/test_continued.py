"""A session whose entry vanished and is there again is one session."""

from ambassador.planes.kernel.continued import Continued
from tests.unit.planes.kernel.test_revival import FOUR, SIX, vanished


def flow(number, *, up=0, down=0, began=0.0, places=FOUR):
    return vanished(places=places).flow._replace(
        id=number,
        packets_up=up,
        bytes_up=100 * up,
        packets_down=down,
        bytes_down=100 * down,
        began=began,
    )


def test_what_all_its_entries_have_carried_counts_and_its_first_beginning():
    some = Continued()
    some.vanished(flow(1, up=3, down=2, began=50.0), 5.0, 10.0)
    assert some.back(flow(2)).began == 5.0
    some.vanished(flow(2, up=10, down=1, began=60.0), 10.1, 20.0)
    assert some.back(flow(3)).began == 5.0
    ended = some.end(flow(3, up=1, down=1, began=70.0))
    assert (ended.id, ended.packets_up, ended.bytes_up) == (3, 14, 1400)
    assert (ended.packets_down, ended.bytes_down, ended.began) == (4, 400, 50.0)
    assert some.end(flow(3, up=1)) == flow(3, up=1)  # once
    assert list(some.lost()) == []


def test_what_does_not_come_back_has_ended_in_its_order():
    some = Continued()
    some.vanished(flow(1), None, 10.0)
    some.vanished(flow(2, places=SIX), 1.0, 11.0)
    assert [past.flow.id for past in some.lost(10.5)] == [1]
    assert [(past.flow.id, past.vanished) for past in some.lost()] == [(2, 11.0)]
    assert some.back(flow(3)) is None


def test_another_connection_is_another_session():
    some = Continued()
    some.vanished(flow(1, up=3), 1.0, 10.0)
    assert some.back(flow(2, places=SIX)) is None
    other = flow(2)._replace(upstream=("10.0.0.9", 7000))
    assert some.back(other) is None
    assert some.end(other) == other


def test_one_that_vanishes_again_before_it_is_known_to_be_back_is_the_last():
    some = Continued()
    some.vanished(flow(1), None, 10.0)
    some.vanished(flow(2, places=SIX), None, 11.0)
    some.vanished(flow(1), None, 12.0)
    assert [past.vanished for past in some.lost()] == [11.0, 12.0]


def test_an_end_that_nobody_tells_is_forgotten():
    some = Continued()
    some.vanished(flow(1, up=3), 1.0, 10.0)
    some.back(flow(2))
    some.forget(2)
    assert some.end(flow(2, up=1)).packets_up == 1
