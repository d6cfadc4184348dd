"""The life of one TCP session as a table: (state, event) -> (state, actions).

Half-closing is exact: the end of one direction is passed on and the other direction stays open
for as long as its sender likes (RFC 9293, section 3.6). A reset of one side resets the other.
What no cell names cannot happen: the KeyError there is a bug.
"""

from __future__ import annotations

from enum import Enum, auto

__all__ = ["TABLE", "Action", "Event", "State"]


class State(Enum):
    """What is open."""

    __hash__ = object.__hash__  # Enum's own hashes the name, in Python, at each look at the table

    WAITING = auto()  # the client is accepted, the upstream is not yet connected
    OPEN = auto()
    CLIENT_ENDED = auto()  # the client will send no more; the upstream may
    UPSTREAM_ENDED = auto()
    CLOSED = auto()


class Event(Enum):
    """What happened."""

    __hash__ = object.__hash__

    CONNECTED = auto()
    FAILED = auto()  # no upstream within the route's `connect`
    CLIENT_END = auto()
    UPSTREAM_END = auto()
    CLIENT_RESET = auto()
    UPSTREAM_RESET = auto()
    CUT = auto()  # by us


class Action(Enum):
    """What to do about it."""

    END_CLIENT = auto()  # after all bytes are written: shut down our sending side
    END_UPSTREAM = auto()
    CLOSE = auto()  # both sides have ended: write what is left, then close both
    RESET_CLIENT = auto()
    RESET_UPSTREAM = auto()


_RESET_BOTH = (State.CLOSED, (Action.RESET_CLIENT, Action.RESET_UPSTREAM))
_LIVE_RESETS = {
    (state, event): _RESET_BOTH
    for state in (State.OPEN, State.CLIENT_ENDED, State.UPSTREAM_ENDED)
    for event in (Event.CLIENT_RESET, Event.UPSTREAM_RESET, Event.CUT)
}

TABLE: dict[tuple[State, Event], tuple[State, tuple[Action, ...]]] = {
    (State.WAITING, Event.CONNECTED): (State.OPEN, ()),
    (State.WAITING, Event.FAILED): (State.CLOSED, (Action.RESET_CLIENT,)),
    # Of a client that is held and has asked for nothing; an end would look like an empty answer.
    (State.WAITING, Event.CLIENT_END): (State.CLOSED, (Action.RESET_CLIENT,)),
    (State.WAITING, Event.CLIENT_RESET): (State.CLOSED, (Action.RESET_CLIENT,)),
    (State.WAITING, Event.CUT): (State.CLOSED, (Action.RESET_CLIENT,)),
    (State.OPEN, Event.CLIENT_END): (State.CLIENT_ENDED, (Action.END_UPSTREAM,)),
    (State.OPEN, Event.UPSTREAM_END): (State.UPSTREAM_ENDED, (Action.END_CLIENT,)),
    (State.CLIENT_ENDED, Event.UPSTREAM_END): (State.CLOSED, (Action.END_CLIENT, Action.CLOSE)),
    (State.UPSTREAM_ENDED, Event.CLIENT_END): (State.CLOSED, (Action.END_UPSTREAM, Action.CLOSE)),
    **_LIVE_RESETS,
    # The second side of what is over tells its end too; nothing is left to do.
    **{(State.CLOSED, event): (State.CLOSED, ()) for event in Event},
    # ... unless its last bytes are still being written to a slow reader.
    (State.CLOSED, Event.CUT): _RESET_BOTH,
}
