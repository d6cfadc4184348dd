"""A peer that is gone is told from one that is there and does not read."""

import socket
import subprocess
import time

import pytest

from ambassador.core.session import Event
from ambassador.planes.relay import silence
from ambassador.planes.relay.options import keep_alive
from ambassador.planes.relay.pair import Pair
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.side import Side
from ambassador.planes.relay.silence import Progress, SilenceWatch, is_unanswered
from ambassador.planes.relay.timers import Timers
from tests.netns import Namespace

KEEPALIVE = 1
LIMIT = 2 * KEEPALIVE


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (Progress(0, 0, 5, 5), False),
        (Progress(3, 0, 200, 9000), True),
        (Progress(3, 0, 200, 150), False),  # the window was closed in front of it
        (Progress(0, 1, 200, 9000), False),  # it may be on its way
        (Progress(0, 2, 200, 9000), True),
    ],
)
def test_what_counts_as_unanswered(progress, expected):
    assert is_unanswered(progress) is expected


class Noted(Pair):
    """Keeps what happens."""

    __slots__ = ("events",)

    def noted(self, event):
        self.events.append(event)


class Carried:
    """A pair whose client is `peer`, which reads nothing, with a `SilenceWatch`."""

    def __init__(self, keepalive):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.peer = socket.create_connection(listening.getsockname())
            self.ours, _ = listening.accept()
        self.ours.setblocking(False)
        self.upstream, theirs = socket.socketpair()
        theirs.setblocking(False)
        keep_alive(self.ours, keepalive)
        failures = []
        self.timers = Timers(failures.append)
        self.poller = Poller(4096, failures.append, later=self.timers.call_later)
        SilenceWatch(self.poller)
        self.pair = Noted(self.poller, self.ours)
        self.pair.events = []
        side = Side(self.pair, theirs)
        self.poller.add(self.ours.fileno(), self.pair.client)
        self.poller.add(theirs.fileno(), side)
        self.pair.join(side)

    def run(self, seconds):
        """Carry for so long, or until something happens; return how long that was."""
        began = time.monotonic()
        while not self.pair.events and time.monotonic() - began < seconds:
            self.poller.turn(0.01)
            self.timers.run()
        return time.monotonic() - began

    def close(self):
        self.pair.happened(Event.CUT)
        self.poller.close()
        self.peer.close()
        self.upstream.close()


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(silence, "_EVERY", 0.05)


def test_a_reader_with_a_closed_window_is_waited_for(often):
    carried = Carried(KEEPALIVE)
    try:
        carried.upstream.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                carried.upstream.send(bytes(65536))
                carried.poller.turn()
        assert carried.run(2 * LIMIT) >= 2 * LIMIT
        assert carried.pair.events == []
    finally:
        carried.close()


@pytest.mark.root
@pytest.mark.parametrize("keepalive", [KEEPALIVE, 0])
def test_a_host_that_vanishes_with_data_under_way_is_told_unless_keepalive_is_off(often, keepalive):
    def work():
        carried = Carried(keepalive)
        try:
            subprocess.run(["ip", "link", "set", "lo", "down"], check=True, timeout=10)
            carried.upstream.send(b"answer")
            took = carried.run(3 * LIMIT if keepalive else 2 * LIMIT)
            assert carried.pair.events[:1] == ([Event.CLIENT_RESET] if keepalive else [])
            assert took >= LIMIT
        finally:
            carried.close()

    net = Namespace()
    try:
        net.call(work)
    finally:
        net.close()
