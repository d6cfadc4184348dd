"""The life of one TCP session as a table: (state, event) -> (state, actions).

Half-closing is exact: the end of one direction is passed on and the other direction stays open
for as long as its sender likes (RFC 9293, section 3.6). A reset of one side resets the other, after
what that side had said before it.
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
    CLIENT_LOST = auto()  # the client is reset; what it had said goes to the upstream first
    UPSTREAM_LOST = auto()
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
    DELIVERED = auto()  # the other side has acknowledged all that the lost one had said


class Action(Enum):
    """What to do about it."""

    END_CLIENT = auto()  # after all bytes are written: shut down our sending side
    END_UPSTREAM = auto()
    CLOSE = auto()  # both sides have ended: write what is left, then close both
    RESET_CLIENT = auto()
    RESET_UPSTREAM = auto()
    DELIVER_TO_CLIENT = auto()  # what the upstream had said, until the client has acknowledged it
    DELIVER_TO_UPSTREAM = auto()


_RESET_BOTH = (State.CLOSED, (Action.RESET_CLIENT, Action.RESET_UPSTREAM))
_LIVE_RESETS = {
    (state, event): outcome
    for state in (State.OPEN, State.CLIENT_ENDED, State.UPSTREAM_ENDED)
    for event, outcome in (
        # What a side had said before its reset was acknowledged to it: its peer must not miss it.
        (Event.CLIENT_RESET, (State.CLIENT_LOST, (Action.DELIVER_TO_UPSTREAM,))),
        (Event.UPSTREAM_RESET, (State.UPSTREAM_LOST, (Action.DELIVER_TO_CLIENT,))),
        (Event.CUT, _RESET_BOTH),
    )
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
    (State.CLIENT_LOST, Event.DELIVERED): _RESET_BOTH,
    (State.CLIENT_LOST, Event.UPSTREAM_RESET): _RESET_BOTH,
    (State.CLIENT_LOST, Event.CUT): _RESET_BOTH,
    (State.UPSTREAM_LOST, Event.DELIVERED): _RESET_BOTH,
    (State.UPSTREAM_LOST, Event.CLIENT_RESET): _RESET_BOTH,
    (State.UPSTREAM_LOST, Event.CUT): _RESET_BOTH,
    # The second side of what is over tells its end too; nothing is left to do.
    **{(State.CLOSED, event): (State.CLOSED, ()) for event in Event},
    # ... unless its last bytes are still being written to a slow reader.
    (State.CLOSED, Event.CUT): _RESET_BOTH,
}
