"""An endpoint that takes connections and resets them is left out, and comes back."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading

from tests.ports import free_port
from tests.relay.peers import port_of, read_exactly, reset
from tests.relay.running import route
from tests.wait import until


class Resetting:
    """Takes a question and resets the connection; when it is `well` it answers."""

    def __init__(self, listening: socket.socket) -> None:
        self.taken = 0
        self.well = False
        self._listening = listening
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listening.accept()
                self.taken += 1
                sock.settimeout(10.0)
                with sock, contextlib.suppress(OSError):
                    asked = sock.recv(1)
                    if self.well:
                        sock.sendall(asked)
                    else:
                        reset(sock)


def served(peers, port):
    """Return whether a client got an answer."""
    with peers.connect(port) as client:
        try:
            client.sendall(b"x")
            return read_exactly(client, 1) == b"x"
        except OSError:
            return False


def said(caplog):
    return [getattr(one, "event", "") for one in caplog.records]


def test_one_that_resets_is_ejected_until_a_session_lasts(relay, peers, caplog):
    caplog.set_level(logging.INFO, "ambassador")
    bad, good, port = peers.listen(), peers.echo(), free_port()
    resetting = Resetting(bad)
    relay.add(route(port, port_of(bad), good.port))
    until(lambda: all(served(peers, port) for _ in range(10)), 20)
    assert "endpoint_ejected" in said(caplog)
    resetting.well = True
    until(lambda: served(peers, port) and "endpoint_back" in said(caplog), 30)


def test_where_all_reset_none_is_better(relay, peers):
    one, two, port = peers.listen(), peers.listen(), free_port()
    both = [Resetting(one), Resetting(two)]
    relay.add(route(port, port_of(one), port_of(two)))
    assert not any(served(peers, port) for _ in range(30))
    assert both[0].taken + both[1].taken == 30
    assert min(both[0].taken, both[1].taken) >= 5
