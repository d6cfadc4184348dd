"""A session whose entry vanished and is there again is one session."""

from ambassador.planes.kernel.continued import Continued, ends_of
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
    assert flow(2) in some
    some.vanished(flow(2, up=10, down=1, began=60.0), None, 20.0)
    assert some.back(flow(3)).began == 5.0
    ended, began = some.end(flow(3, up=1, down=1, began=70.0))
    assert (ended.id, ended.packets_up, ended.bytes_up) == (3, 14, 1400)
    assert (ended.packets_down, ended.bytes_down, ended.began) == (4, 400, 50.0)
    assert began == 5.0
    assert some.end(flow(3, up=1)) == (flow(3, up=1), None)  # once
    assert list(some.lost()) == []


def test_what_is_not_entered_again_has_ended_in_its_order():
    some = Continued()
    some.vanished(flow(1), None, 10.0)
    some.vanished(flow(2, places=SIX), 1.0, 11.0)
    assert not some
    assert list(some.lost(99.0)) == []  # nobody has said that it is not entered again
    some.left(flow(1), 11.1)
    some.left(flow(2, places=SIX), 11.2)
    assert some
    assert [past.flow.id for past in some.lost(11.1)] == [1]
    assert [(past.flow.id, past.vanished) for past in some.lost()] == [(2, 11.0)]
    assert some.back(flow(3)) is None


def test_at_the_end_all_that_has_vanished_has_ended():
    some = Continued()
    some.vanished(flow(1), None, 10.0)
    assert [past.flow.id for past in some.lost()] == [1]
    assert list(some.lost()) == []


def test_a_client_that_begins_anew_by_itself_goes_on():
    some = Continued()
    some.vanished(flow(1, up=3), 1.0, 10.0)
    some.left(flow(1), 10.1)
    assert some.back(flow(2)).flow.id == 1
    assert not some
    assert some.end(flow(2, up=1))[0].packets_up == 4


def test_another_connection_is_another_session():
    some = Continued()
    some.vanished(flow(1, up=3), 1.0, 10.0)
    assert some.back(flow(2, places=SIX)) is None
    other = flow(2)._replace(upstream=("10.0.0.9", 7000))
    assert some.back(other) is None
    assert some.end(other) == (other, None)


def test_one_that_vanishes_again_before_it_is_known_to_be_back_is_the_last():
    some = Continued()
    for number, places, now in ((1, FOUR, 10.0), (2, SIX, 11.0), (1, FOUR, 12.0)):
        some.vanished(flow(number, places=places), None, now)
        some.left(flow(number, places=places), now)
    assert [past.vanished for past in some.lost()] == [11.0, 12.0]


def test_what_is_back_and_there_no_longer_is_forgotten():
    some = Continued()
    some.vanished(flow(1, up=3), 1.0, 10.0)
    some.back(flow(2))
    assert some.keep({ends_of(flow(2))}) == 0
    assert some.keep(()) == 1
    assert some.end(flow(2, up=1))[0].packets_up == 1
