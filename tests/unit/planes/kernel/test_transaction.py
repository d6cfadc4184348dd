from ambassador.model import Proto, Ranges
from ambassador.planes.kernel.ruleset import Share, Way
from ambassador.planes.kernel.stops import Stop
from ambassador.planes.kernel.transaction import Change

STOP = Stop(6379, "10.0.0.1", 7001)


def test_a_change_that_only_stops_or_resumes_is_one():
    assert not Change()
    assert Change(stopped={STOP})
    assert Change(resumed={STOP})


def test_flows_are_stopped_in_the_transaction_itself():
    assert "@stopped4 drop" in Change(stopped={STOP}).text((), ())
    assert "delete element" in Change(resumed={STOP}).text((), ())


def test_only_ways_that_come_with_many_ranges_need_large_sets():
    def way(port: int, number: int) -> Way:
        places = tuple(range(0, 4 * number, 4))
        share = (Share("10.0.0.1", 1),)
        return Way(Proto.TCP, port, False, share, admitted=Ranges(places, places))

    small, many, same = way(1, 499), way(2, 500), way(3, 500)
    assert not Change(before={many.key: many}, after={small.key: small}).is_large
    come = Change(after={many.key: many, small.key: small})
    assert come.is_large
    assert [one.set for one in come.large_sets([small])] == [many.entrance.set]
    assert come.large_sets([same]) == []
