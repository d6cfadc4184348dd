"""One endpoint asked again and again: one connection at a time, in a rhythm of its own."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ambassador.model import Endpoint, Inet, Route
from ambassador.probes.check import Check
from ambassador.probes.conversation import Conversations
from ambassador.probes.heard import Heard
from ambassador.probes.table import probe_of
from tests.loops import LoopThread
from tests.names import StaticResolver
from tests.wait import until

INTERVAL = 0.1


@pytest.fixture
def looping():
    looping = LoopThread()
    yield looping
    looping.close()


class Asked(Conversations):
    """Notes what is asked, and when; `answers` are given in turn, the last of them for good."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = list(answers)
        self.asked = []
        self.open = self.most = 0

    def begin(self, question, answered):
        self.asked.append((question.place[1][0], self.loop.time()))
        self.open += 1
        self.most = max(self.most, self.open)
        why = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.loop.call_later(0.01, self._answer, answered, why)

    def _answer(self, answered, why):
        self.open -= 1
        answered(why)


@pytest.fixture
def checking(looping):
    made = []

    def begin(asked, host="10.0.0.1", wait=None, **names):
        told = []

        async def judge(key, address, health, why, addresses):
            told.append((health.value, why))

        def beginning():
            route = Route("a", Inet("", 1), (), health="tcp", interval=INTERVAL, rise=1, fall=1)
            endpoint = Endpoint(Inet(host, 7000))
            heard, resolver = Heard(route, endpoint, judge), StaticResolver(**names)
            conversations = asked()
            check = Check(conversations, resolver, None, heard, (route, endpoint, probe_of("tcp")))
            check.begin(wait)
            return conversations, check, resolver

        conversations, check, resolver = looping.call(beginning)
        made.append((conversations, check))
        return conversations, told, resolver

    yield begin
    for conversations, check in made:
        looping.call(check.close)
        looping.call(conversations.close)


def test_it_is_asked_again_at_its_own_place_of_each_interval(checking):
    conversations, told, _ = checking(lambda: Asked(""))
    until(lambda: len(conversations.asked) >= 8)
    times = [when for _, when in conversations.asked]
    assert all(later - sooner > INTERVAL / 3 for sooner, later in pairwise(times))
    assert conversations.most == 1
    assert told == [("healthy", "")]


class AtOneAddress(Asked):
    """`bad` does not answer as it should."""

    bad = "10.0.0.2"

    def begin(self, question, answered):
        self.answers = ["refused" if question.place[1][0] == self.bad else ""]
        super().begin(question, answered)


def test_each_address_of_a_name_is_asked_at_a_time_of_its_own_and_works_or_not(checking):
    addresses = ("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")
    conversations, told, resolver = checking(lambda: AtOneAddress(""), "db", db=addresses)
    until(lambda: len(conversations.asked) >= 24)
    by_address = {one: [w for host, w in conversations.asked if host == one] for one in addresses}
    for times in by_address.values():
        assert all(later - sooner > INTERVAL / 3 for sooner, later in pairwise(times[1:]))
    assert {health for health, _ in told} == {"healthy"}
    assert resolver.doubted == []  # it is somewhere
    resolver.answer("db", "10.0.0.2")
    until(lambda: told[-1] == ("unhealthy", "refused"))
    assert "db" in resolver.doubted


def test_a_name_without_address_is_no_health(checking):
    _, told, _ = checking(lambda: Asked(""), "none")
    until(lambda: told)
    assert told[0][0] == "unhealthy"
    assert "no address" in told[0][1]
