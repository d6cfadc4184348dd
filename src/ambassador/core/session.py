"""The life of one TCP session as a table: (state, event) -> (state, actions).

Half-closing is exact: the end of one direction is passed on and the other direction stays open for
as long as its sender likes (RFC 9293, section 3.6). A reset of one side resets the other, after the
bytes that the first side had sent before. A pair that is not in the table cannot happen: the
KeyError there is a bug. docs/states.md shows the table as a page.
"""

from __future__ import annotations

from enum import Enum, auto

__all__ = ["LOOKING", "OVER", "TABLE", "Action", "Event", "State", "shown"]


class State(Enum):
    """What a session is doing."""

    __hash__ = object.__hash__  # Enum's own hashes the name, in Python, at each use of the table

    ACCEPTED = auto()  # there is a client, and nothing has been done for it yet
    HELD = auto()  # the route is held: the client waits for its release
    DIALLING = auto()  # a connection is being made, or two, to an address that answered lately
    SEARCHING = auto()  # no address answered lately: the session waits for the search of its port
    OPEN = auto()  # bytes pass both ways
    HANDED = auto()  # a worker has the session, and goes by this table there
    CLIENT_ENDED = auto()  # the client will send no more; the upstream may
    UPSTREAM_ENDED = auto()  # the upstream will send no more; the client may
    CLIENT_LOST = auto()  # the client is reset; the bytes it had sent go to the upstream first
    UPSTREAM_LOST = auto()  # the upstream is reset; the bytes it had sent go to the client first
    FINISHING = auto()  # both have ended; the last bytes are being written
    CLOSED = auto()  # it is over


class Event(Enum):
    """What happened."""

    __hash__ = object.__hash__

    HOLD = auto()  # the route is held, and one more client may wait
    DIAL = auto()  # a connection has begun
    SEARCH = auto()  # there is no address to try at once, or the try has failed
    RELEASED = auto()  # the route is no longer held
    ANEW = auto()  # the route has changed, or one answers: look again, if there is no upstream
    CONNECTED = auto()  # there is an upstream
    FAILED = auto()  # no upstream within the route's `connect`, or no room or time left in a hold
    HAND = auto()  # a worker has both sockets now
    RETURNED = auto()  # the worker reports the end of the session, or has ended itself
    CLIENT_END = auto()  # the client has sent its end (FIN)
    UPSTREAM_END = auto()  # the upstream has sent its end (FIN)
    CLIENT_RESET = auto()  # the client has reset the connection, or is lost
    UPSTREAM_RESET = auto()  # the upstream has reset the connection, or is lost
    CUT = auto()  # we end it
    DELIVERED = auto()  # the other side has acknowledged all bytes that the lost side had sent
    FINISHED = auto()  # the last bytes are written, both sides are closed


class Action(Enum):
    """What to do about it."""

    LEAVE_HOLD = auto()  # give up the place in the hold
    DROP_DIAL = auto()  # give up the connection that is being made
    STOP_SEARCH = auto()
    END_CLIENT = auto()  # after all bytes are written: shut down our sending side
    END_UPSTREAM = auto()
    CLOSE = auto()  # both sides have ended: write what is left, then close both
    CLOSE_CLIENT = auto()  # the client will not read what is left for it
    CLOSE_UPSTREAM = auto()
    RESET_CLIENT = auto()
    RESET_UPSTREAM = auto()
    DELIVER_TO_CLIENT = auto()  # what the upstream had sent, until the client has acknowledged it
    DELIVER_TO_UPSTREAM = auto()
    CUT_IN_WORKER = auto()  # have the worker cut the session; its end is reported as any other


# States without an upstream, and how each is given up.
_GIVEN_UP = {
    State.ACCEPTED: (),
    State.HELD: (Action.LEAVE_HOLD,),
    State.DIALLING: (Action.DROP_DIAL,),
    State.SEARCHING: (Action.STOP_SEARCH,),
}
LOOKING = frozenset({State.ACCEPTED, State.DIALLING, State.SEARCHING})
OVER = frozenset({State.FINISHING, State.CLOSED})
_CARRIED = (State.OPEN, State.CLIENT_ENDED, State.UPSTREAM_ENDED)
_LOST = (State.CLIENT_LOST, State.UPSTREAM_LOST)
_RESET_BOTH = (State.CLOSED, (Action.RESET_CLIENT, Action.RESET_UPSTREAM))

TABLE: dict[tuple[State, Event], tuple[State, tuple[Action, ...]]] = {
    (State.ACCEPTED, Event.HOLD): (State.HELD, ()),
    (State.ACCEPTED, Event.DIAL): (State.DIALLING, ()),
    (State.ACCEPTED, Event.SEARCH): (State.SEARCHING, ()),
    (State.ACCEPTED, Event.CONNECTED): (State.OPEN, ()),  # in a worker: it gets both at once
    (State.ACCEPTED, Event.FAILED): (State.CLOSED, (Action.RESET_CLIENT,)),
    (State.HELD, Event.RELEASED): (State.ACCEPTED, ()),
    (State.HELD, Event.FAILED): (State.CLOSED, (Action.RESET_CLIENT,)),
    # The client has sent nothing; an end (FIN) would look like an empty answer.
    (State.HELD, Event.CLIENT_END): (State.CLOSED, (Action.LEAVE_HOLD, Action.RESET_CLIENT)),
    (State.DIALLING, Event.CONNECTED): (State.OPEN, ()),
    (State.DIALLING, Event.DIAL): (State.DIALLING, ()),  # another, beside the first or instead
    (State.DIALLING, Event.SEARCH): (State.SEARCHING, ()),
    (State.SEARCHING, Event.CONNECTED): (State.OPEN, ()),
    (State.SEARCHING, Event.FAILED): (State.CLOSED, (Action.RESET_CLIENT,)),
    **{
        (state, event): (State.CLOSED, (*actions, Action.RESET_CLIENT))
        for state, actions in _GIVEN_UP.items()
        for event in (Event.CLIENT_RESET, Event.CUT)
    },
    # A client that is already held goes on waiting, and a session with an upstream keeps it.
    **{(state, Event.ANEW): (state, ()) for state in State},
    (State.DIALLING, Event.ANEW): (State.ACCEPTED, (Action.DROP_DIAL,)),
    (State.SEARCHING, Event.ANEW): (State.ACCEPTED, (Action.STOP_SEARCH,)),
    **{(state, Event.HAND): (State.HANDED, ()) for state in (*_CARRIED, *_LOST, State.FINISHING)},
    (State.HANDED, Event.CUT): (State.HANDED, (Action.CUT_IN_WORKER,)),
    (State.HANDED, Event.RETURNED): (State.CLOSED, ()),
    (State.OPEN, Event.CLIENT_END): (State.CLIENT_ENDED, (Action.END_UPSTREAM,)),
    (State.OPEN, Event.UPSTREAM_END): (State.UPSTREAM_ENDED, (Action.END_CLIENT,)),
    (State.CLIENT_ENDED, Event.UPSTREAM_END): (
        State.FINISHING,
        (Action.END_CLIENT, Action.CLOSE),
    ),
    (State.UPSTREAM_ENDED, Event.CLIENT_END): (
        State.FINISHING,
        (Action.END_UPSTREAM, Action.CLOSE),
    ),
    # What a side had sent before its reset was acknowledged to it: the other side must get it.
    **{
        (state, Event.CLIENT_RESET): (State.CLIENT_LOST, (Action.DELIVER_TO_UPSTREAM,))
        for state in _CARRIED
    },
    **{
        (state, Event.UPSTREAM_RESET): (State.UPSTREAM_LOST, (Action.DELIVER_TO_CLIENT,))
        for state in _CARRIED
    },
    (State.CLIENT_LOST, Event.UPSTREAM_RESET): _RESET_BOTH,
    (State.UPSTREAM_LOST, Event.CLIENT_RESET): _RESET_BOTH,
    **{(state, Event.DELIVERED): _RESET_BOTH for state in _LOST},
    **{(state, Event.CUT): _RESET_BOTH for state in (*_CARRIED, *_LOST, State.FINISHING)},
    (State.FINISHING, Event.CLIENT_RESET): (State.FINISHING, (Action.CLOSE_CLIENT,)),
    (State.FINISHING, Event.UPSTREAM_RESET): (State.FINISHING, (Action.CLOSE_UPSTREAM,)),
    (State.FINISHING, Event.FINISHED): (State.CLOSED, ()),
    # Events that were on their way when the session ended come too late.
    **{
        (state, event): (state, ())
        for state in OVER
        for event in (Event.CLIENT_END, Event.UPSTREAM_END, Event.DELIVERED)
    },
    (State.CLOSED, Event.CLIENT_RESET): (State.CLOSED, ()),
    (State.CLOSED, Event.UPSTREAM_RESET): (State.CLOSED, ()),
    (State.CLOSED, Event.CUT): _RESET_BOTH,  # after a bug of ours in the middle of an end
}


def shown(state: State, leaving: bool) -> str:
    """Return the word of `ambassador sessions` for a session in `state`; `leaving`: its endpoint
    has left the route.
    """
    if state is State.HELD:
        return "held"
    if state in LOOKING:
        return "waiting"
    return "leaving" if leaving else "open"
