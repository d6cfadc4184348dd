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
