"""A process that carries sessions which the relay has handed to it, and does nothing else.

It imports little (13 MB, 50 ms), runs no event loop but its poller, and knows no routes. It ends
with its last session once the relay is gone: who kills the relay breaks no connection here.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import traceback

from ambassador.core.session import Event
from ambassador.planes.relay.options import reset
from ambassador.planes.relay.pair import Pair, Side
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.silence import SilenceWatch
from ambassador.planes.relay.timers import Timers
from ambassador.planes.relay.worker_protocol import (
    Adopt,
    Ask,
    Channel,
    Cut,
    Ended,
    Hello,
    Ping,
    Told,
    told,
)

__all__ = ["WorkerLoop", "main"]

_MEANT_FOR_ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Carried(Pair):
    __slots__ = ("event", "key", "loop")

    def __init__(self, loop: WorkerLoop, key: int, client: socket.SocketType) -> None:
        super().__init__(loop.poller, client)
        self.loop = loop
        self.key = key
        self.event = Event.CUT

    def noted(self, event: Event) -> None:
        """Keep what ends it first; see Pair."""
        if self.event is Event.CUT:
            self.event = event

    def finish(self) -> None:
        """See Pair."""
        if self.loop.carried.pop(self.key, None) is not None:
            self.loop.ended(self)


class WorkerLoop:
    """Carries what `sock` tells it to."""

    def __init__(self, sock: socket.socket, poller: Poller) -> None:
        self.poller = poller
        self.carried: dict[int, _Carried] = {}
        self.alone = False  # the relay is gone
        self.over: list[Ended] = []  # not told yet
        self._channel = Channel(sock)
        poller.add(sock.fileno(), self)
        self._channel.send(Hello())

    def ready(self, events: int) -> None:
        """Do what the relay asks for; see poller.Ready."""
        if self.alone:
            return
        try:
            with contextlib.suppress(OSError):  # it is gone, which is read next
                self._channel.flush()
            for message, descriptors in self._channel.receive():
                if isinstance(message, Adopt):
                    self._adopt(message, [socket.SocketType(fileno=one) for one in descriptors])
                elif isinstance(message, Cut):
                    if pair := self.carried.get(message.key):
                        pair.happened(Event.CUT)
                elif isinstance(message, Ping):
                    self._tell(Hello())
                elif isinstance(message, Ask):
                    numbers = (_numbers(pair) for pair in self.carried.values())
                    for piece in told(numbers, self.poller.memory.held):
                        self._tell(piece)
        except EOFError:
            self._lose()

    def pump(self) -> None:
        """Hear the rest; see poller.Pausing."""
        self.ready(0)

    def broke(self) -> None:
        """Hear the rest, of which no edge tells again; see poller.Ready."""
        self.poller.go_on(self)

    def ended(self, pair: _Carried) -> None:
        """Keep for `tell_ends` how `pair` has ended."""
        self.over.append(Ended(pair.key, pair.event, *_numbers(pair)[1:]))
        pair.part()

    def tell_ends(self) -> None:
        """Tell what has ended, between two turns: sockets are closed by then, so that who is told
        finds their peers reset and their descriptors free.
        """
        for message in self.over:
            self._tell(message)
        self.over.clear()

    def _adopt(self, message: Adopt, socks: list[socket.SocketType]) -> None:
        if len(socks) < 2:  # no descriptor was free: the kernel has closed what is missing
            for sock in socks:
                reset(sock)
                sock.close()
            self._tell(Ended(message.key, Event.CUT, message.to_upstream, message.to_client))
            return
        client, upstream = socks
        pair = self.carried[message.key] = _Carried(self, message.key, client)
        side = Side(pair, upstream)
        pair.client.received, side.received = message.to_upstream, message.to_client
        # Both are non-blocking already: that belongs to the open file, not to its number.
        try:
            self.poller.add(client.fileno(), pair.client)
            self.poller.add(upstream.fileno(), side)
            pair.join(side)
        except Exception:  # too many are watched (epoll_ctl(2)), for one
            pair.upstream = side
            pair.broke()
            side.reset()
            raise

    def _tell(self, message: Ended | Hello | Told) -> None:
        if not self.alone:
            with contextlib.suppress(OSError):  # it is gone, which an event tells
                self._channel.send(message)

    def _lose(self) -> None:
        self.alone = True
        self.poller.close_socket(self._channel.sock)
        for number in _MEANT_FOR_ALL:
            signal.signal(number, signal.SIG_DFL)


def _numbers(pair: _Carried) -> tuple[int, int, int]:
    upstream = pair.upstream
    return pair.key, pair.client.received, upstream.received if upstream else 0


def _say(error: Exception) -> None:
    with contextlib.suppress(OSError):  # nobody reads that any longer
        traceback.print_exception(error)


def main(descriptor: int, limit: int, memory: int) -> None:
    """Carry until the relay is gone and the last session has ended. `descriptor`: of the channel;
    `limit`, `memory`: see Poller.
    """
    for number in _MEANT_FOR_ALL:  # of a terminal or of systemd; the relay says when to stop
        signal.signal(number, signal.SIG_IGN)
    timers = Timers(_say)
    poller = Poller(limit, _say, later=timers.call_later, memory=memory)
    SilenceWatch(poller)
    loop = WorkerLoop(socket.socket(fileno=descriptor), poller)
    gc.collect()
    gc.freeze()  # what is here now stays: it need not be looked at again
    while loop.carried or not loop.alone:
        # When several were ready, more are about to be: who gives way to them asks less often.
        # 50 clients of a Redis on two cores: half the calls, 15 % more requests a second.
        several = poller.turn(timers.wait()) > 1
        timers.run()
        if loop.over:
            loop.tell_ends()
        if several and not poller.has_more:
            os.sched_yield()
    poller.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
