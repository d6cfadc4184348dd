"""When what a lost side had said counts as delivered."""

import pytest

from ambassador.planes.relay import delivery
from ambassador.planes.relay.delivery import Delivery


class Reader:
    """Has `left` to take; time passes with each look that is put off."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        self.left = 0
        self.told = 0
        self.waits = []
        self.next = None
        self.poller = self
        monkeypatch.setattr(delivery.time, "monotonic", lambda: self.now)

    def later(self, seconds, call):
        self.waits.append(seconds)
        self.next = call

    def undelivered(self):
        return self.left

    def delivered(self):
        self.told += 1

    def step(self):
        call, self.next = self.next, None
        self.now += self.waits[-1]
        call()


@pytest.fixture
def reader(monkeypatch):
    return Reader(monkeypatch)


def test_nothing_left_is_told_at_once(reader):
    Delivery(reader).look()
    assert reader.told == 1
    assert reader.next is None


def test_it_is_told_when_the_last_byte_is_acknowledged(reader):
    reader.left = 10
    Delivery(reader).look()
    reader.step()
    assert reader.told == 0
    reader.left = 0
    reader.step()
    assert reader.told == 1
    assert reader.next is None


def test_a_reader_that_goes_on_may_take_as_long_as_it_likes(reader):
    reader.left = 1000
    Delivery(reader).look()
    while reader.left > 1:
        reader.now += 50
        reader.left -= 1
        reader.step()
    assert reader.told == 0
    assert reader.now > 50_000


def test_one_that_takes_nothing_for_a_minute_is_not_waited_for(reader):
    reader.left = 10
    Delivery(reader).look()
    while not reader.told:
        assert reader.now < 161
        reader.step()
    assert reader.now >= 160
    assert max(reader.waits) == 0.25
    assert reader.waits[:3] == [0.005, 0.01, 0.02]


def test_of_one_that_is_closed_nothing_is_told(reader):
    reader.left = 10
    Delivery(reader).look()
    reader.left = None
    reader.step()
    assert reader.told == 0
    assert reader.next is None
