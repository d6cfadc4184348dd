"""A process that carries sessions which the relay has handed to it, and does nothing else.

It imports little (13 MB, 50 ms), runs no event loop but its poller, and knows no routes. It ends
with its last session once the relay is gone: who kills the relay breaks no connection here.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import traceback

from ambassador.core.session import Event
from ambassador.planes.relay.pair import Pair, Side
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.wire import Adopt, Ask, Channel, Cut, Ended, Hello, told

__all__ = ["Carrier", "main"]

_MEANT_FOR_ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Carried(Pair):
    __slots__ = ("carrier", "event", "key")

    def __init__(self, carrier: Carrier, key: int, client: socket.SocketType) -> None:
        super().__init__(carrier.poller, client)
        self.carrier = carrier
        self.key = key
        self.event = Event.CUT

    def noted(self, event: Event) -> None:
        """Keep what ends it first; see Pair."""
        if self.event is Event.CUT:
            self.event = event

    def finish(self) -> None:
        """See Pair."""
        if self.finished and self.carrier.carried.pop(self.key, None) is not None:
            self.carrier.ended(self)


class Carrier:
    """Carries what `sock` tells it to."""

    def __init__(self, sock: socket.socket, poller: Poller) -> None:
        self.poller = poller
        self.carried: dict[int, _Carried] = {}
        self.alone = False  # the relay is gone
        self._channel = Channel(sock)
        poller.add(sock.fileno(), self)
        self._channel.send(Hello())

    def ready(self, events: int) -> None:
        """Do what the relay asks for; see poller.Ready."""
        if self.alone:
            return
        try:
            self._channel.flush()
            for message, descriptors in self._channel.receive():
                if isinstance(message, Adopt):
                    self._adopt(message, *(socket.SocketType(fileno=one) for one in descriptors))
                elif isinstance(message, Cut):
                    if pair := self.carried.get(message.key):
                        pair.happened(Event.CUT)
                elif isinstance(message, Ask):
                    for piece in told(_numbers(pair) for pair in self.carried.values()):
                        self._channel.send(piece)
        except (EOFError, OSError):
            self._lose()

    def ended(self, pair: _Carried) -> None:
        """Tell of the end of `pair`."""
        if not self.alone:
            try:
                self._channel.send(Ended(pair.key, pair.event, *_numbers(pair)[1:]))
            except OSError:
                self._lose()
        pair.part()

    def _adopt(
        self, message: Adopt, client: socket.SocketType, upstream: socket.SocketType
    ) -> None:
        pair = self.carried[message.key] = _Carried(self, message.key, client)
        side = Side(pair, upstream)
        pair.client.received, side.received = message.to_upstream, message.to_client
        # Both are non-blocking already: that belongs to the open file, not to its number.
        self.poller.add(client.fileno(), pair.client)
        self.poller.add(upstream.fileno(), side)
        pair.join(side)

    def _lose(self) -> None:
        self.alone = True
        self.poller.close_socket(self._channel.sock)
        for number in _MEANT_FOR_ALL:
            signal.signal(number, signal.SIG_DFL)


def _numbers(pair: _Carried) -> tuple[int, int, int]:
    upstream = pair.upstream
    return pair.key, pair.client.received, upstream.received if upstream else 0


def main(descriptor: int, limit: int) -> None:
    """Carry until the relay is gone and the last session has ended. `descriptor`: of the channel;
    `limit`: see Poller.
    """
    for number in _MEANT_FOR_ALL:  # of a terminal or of systemd; the relay says when to stop
        signal.signal(number, signal.SIG_IGN)
    poller = Poller(limit, traceback.print_exception)
    carrier = Carrier(socket.socket(fileno=descriptor), poller)
    gc.collect()
    gc.freeze()  # what is here now stays: it need not be looked at again
    while carrier.carried or not carrier.alone:
        # When several were ready, more are about to be: who gives way to them asks less often.
        # 50 clients of a Redis on two cores: half the calls, 15 % more requests a second.
        if poller.turn(-1) > 1:
            os.sched_yield()
    poller.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
