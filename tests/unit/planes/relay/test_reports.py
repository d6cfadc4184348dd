"""When a worker tells the relay of a session: once it has lasted for a moment, or is asked for."""

import socket
import time

import pytest

from ambassador.core.session import Event
from ambassador.planes.relay.reports import Reports
from ambassador.planes.relay.worker_messages import Ended, Opened, Sum

MOMENT = 0.05  # seconds


class Door:
    number = 3
    keepalive = 0.0


class Way:
    number, port = 1, 0


class Side:
    received = 10

    def __init__(self, sock):
        self.sock = sock


class Pair:
    """A session of a worker, as far as it is told of."""

    def __init__(self, key, age, sock):
        self.key, self.doorway, self.way = key, Door, Way
        self.client, self.upstream = Side(sock), Side(sock)
        self.started = time.monotonic() - age
        self.connected = self.started + 0.001
        self.told = False
        self.event = Event.CLIENT_END

    def name_client(self):
        return "192.0.2.1:1000"


@pytest.fixture
def sock():
    with socket.socket() as sock:
        yield sock


@pytest.fixture
def told():
    """What the relay is told, item by item."""
    return []


@pytest.fixture
def timers():
    """The calls that were asked for."""
    return []


@pytest.fixture
def reports(told, timers):
    return Reports(
        lambda news: told.extend(news.items),
        lambda _seconds, call: timers.append(call),
        sums=True,
    )


def kinds(told):
    return [(type(item), item.key) for item in told if not isinstance(item, Sum)]


def test_a_session_is_told_of_once_it_has_lasted_for_a_moment(reports, told, timers, sock):
    for key, age in enumerate((2 * MOMENT, MOMENT, 0.0)):
        reports.begun(Pair(key, age, sock))
    (due,) = timers
    due()
    assert kinds(told) == [(Opened, 0), (Opened, 1)]
    assert len(timers) == 2  # the third is looked at once more


def test_the_end_of_one_does_not_tell_of_others(reports, told, timers, sock):
    lasting, young = Pair(0, 2 * MOMENT, sock), Pair(1, 0.0, sock)
    reports.begun(lasting)
    timers[0]()
    reports.begun(young)
    reports.ended(lasting)
    assert reports.soon
    reports.tell_known()
    assert not reports.soon
    assert kinds(told) == [(Opened, 0), (Ended, 0)]


def test_one_that_is_over_in_a_moment_is_in_a_sum(reports, told, timers, sock):
    pairs = [Pair(key, 0.0, sock) for key in range(3)]
    for pair in pairs:
        reports.begun(pair)
        reports.ended(pair)
    assert not reports.soon
    reports.tell_known()
    assert told == []
    timers[0]()
    (item,) = told
    assert isinstance(item, Sum)
    assert (item.door, item.way, item.event) == (3, 1, Event.CLIENT_END)
    assert (item.to_upstream, item.to_client, len(item.totals)) == (30, 30, 3)
    assert len(timers) == 1  # nothing waits any longer


def test_asked_for_all_are_told_of_each_before_its_end(reports, told, sock):
    pair = Pair(7, 0.0, sock)
    reports.begun(pair)
    reports.flush()
    reports.ended(pair)
    reports.flush()
    assert kinds(told) == [(Opened, 7), (Ended, 7)]
