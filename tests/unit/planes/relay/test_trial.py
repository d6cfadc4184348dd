"""What becomes of an attempt whose client has found another way."""

import socket
from types import SimpleNamespace

import pytest

from ambassador.model import Endpoint, Inet, Route
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.live import LiveRoute
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.trial import Trial
from tests.names import StaticResolver

A = Endpoint(Inet("10.0.0.1", 6379))


@pytest.fixture
def scene():
    given = []
    around = SimpleNamespace(
        poller=Poller(4096, pytest.fail),
        resolver=StaticResolver(),
        descriptors=SimpleNamespace(give=given.append),
    )
    live = LiveRoute(Route("redis", Inet("", 6379), (A,)))
    live.missed(Candidate(A, "10.0.0.1", 6379), "it does not answer", 1.0)
    yield SimpleNamespace(live=live, trial=Trial(live, around), around=around, given=given)
    around.poller.close()


def dial():
    return SimpleNamespace(candidate=Candidate(A, "10.0.0.1", 6379))


def test_one_that_answers_ends_the_doubt_and_is_closed(scene):
    one, other = socket.socketpair()
    scene.trial.overdue(dial())
    scene.trial.answered(dial(), one, 0)
    assert not scene.live.in_doubt
    assert one.fileno() == -1
    assert scene.given == [1]
    other.close()


def test_one_that_fails_keeps_it(scene):
    scene.trial.failed(dial(), "it does not answer")
    assert scene.live.in_doubt
    assert scene.given == [1]
    assert scene.around.resolver.doubted == ["10.0.0.1"]


def test_one_that_breaks_gives_its_descriptor_back(scene):
    scene.trial.broke()
    assert scene.given == [1]
