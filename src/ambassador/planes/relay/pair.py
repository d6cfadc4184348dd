"""Two connected sockets, and bytes both ways between them.

The table of `core.session` decides what is done at each event; here it is done. `side` carries the
bytes.

Nothing here needs asyncio: it also runs in a process that has none.
"""

from __future__ import annotations

import socket

from ambassador.core.session import TABLE, Action, Event, State
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.side import Side, side_of

__all__ = ["Pair"]

# To look up a member of an Enum takes 80 ns, a name of the module 20: a session ends with a dozen.
_FINISHING, _CONNECTED = State.FINISHING, Event.CONNECTED
_RESET_CLIENT, _CLOSE = Action.RESET_CLIENT, Action.CLOSE
_END_CLIENT, _END_UPSTREAM = Action.END_CLIENT, Action.END_UPSTREAM


class Pair:
    """Two sides through their life, from the accepted client to the close of both."""

    __slots__ = ("client", "poller", "state", "upstream")

    def __init__(self, poller: Poller, client: socket.SocketType) -> None:
        self.poller = poller
        self.state = State.ACCEPTED
        self.client = side_of(self, client)
        self.upstream: Side | None = None

    def join(self, upstream: Side, events: int = 0) -> None:
        """Let bytes flow between the client and `upstream`, which are both watched; `events`: of
        `upstream`, reported before it was a side.
        """
        client = self.client
        self.upstream = upstream
        client.peer = client.to = upstream
        upstream.peer = upstream.to = client
        self.state, _ = TABLE[self.state, _CONNECTED]
        if client.readable:
            client.pump()
        upstream.ready(events)

    def happened(self, event: Event) -> None:
        """Advance by `event` and do what the table says."""
        before = self.state
        self.state, actions = TABLE[before, event]
        if before is not self.state:
            self.noted(event)
        for action in actions:
            self._perform(action)

    def noted(self, event: Event) -> None:
        """`event` has changed the state: a subclass may want to know why a session ends."""

    def broke(self) -> None:
        """Cut the session after an error of ours, so that no bytes are missing in between."""
        self.happened(Event.CUT)

    def side_failed(self, side: Side, why: str) -> None:
        """`side` is about to be lost, for `why`: a subclass may want to know."""

    def ended_early(self) -> None:
        """The client has ended while there is no upstream: a subclass may not let it wait."""

    def side_closed(self) -> None:
        """One side has closed."""
        if self.client.closed and (self.upstream is None or self.upstream.closed):
            if self.state is _FINISHING:
                self.state, _ = TABLE[self.state, Event.FINISHED]
            self.finish()

    def finish(self) -> None:
        """Both sides have closed: a subclass may want to know."""

    def give_up(self, action: Action) -> None:
        """Do what `action` says about looking for an upstream: a subclass looks for one."""

    def elsewhere(self, action: Action) -> None:
        """Do what `action` says where the sockets are in another process."""

    def part(self) -> None:
        """Remove references between pair and sides: a cycle would need the garbage collector."""
        for side in (self.client, self.upstream):
            if side is not None:
                side.peer = side.to = None
                del side.pair

    def _perform(self, action: Action) -> None:
        client, upstream = self.client, self.upstream
        if action is _RESET_CLIENT:
            client.reset()
        elif upstream is None:
            self.give_up(action)
        elif action is _END_UPSTREAM:
            upstream.end()
        elif action is _END_CLIENT:
            client.end()
        elif action is _CLOSE:
            client.close_when_sent()
            upstream.close_when_sent()
        elif action is Action.RESET_UPSTREAM:
            upstream.reset()
        elif action is Action.DELIVER_TO_CLIENT:
            client.deliver()
        elif action is Action.DELIVER_TO_UPSTREAM:
            upstream.deliver()
        elif action is Action.CLOSE_CLIENT:
            client.close()
        elif action is Action.CLOSE_UPSTREAM:
            upstream.close()
        else:
            self.elsewhere(action)
