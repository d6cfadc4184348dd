"""The life of one TCP session as a table: (state, event) -> (state, actions).

Half-closing is exact: the end of one direction is passed on and the other direction stays open
for as long as its sender likes (RFC 9293, section 3.6). A reset of one side resets the other, after
what that side had said before it.
What no cell names cannot happen: the KeyError there is a bug. docs/states.md has it as a page.
"""

from __future__ import annotations

from enum import Enum, auto

__all__ = ["LOOKING", "OVER", "TABLE", "Action", "Event", "State", "shown"]


class State(Enum):
    """How far it has come."""

    __hash__ = object.__hash__  # Enum's own hashes the name, in Python, at each look at the table

    ACCEPTED = auto()  # there is a client, and nothing has been done for it yet
    HELD = auto()  # the route is held: the client waits for its release
    DIALLING = auto()  # a connection is being made, to what has answered lately, or two
    SEARCHING = auto()  # nothing has: it waits for the search of its port
    OPEN = auto()  # bytes pass both ways
    HANDED = auto()  # a worker has it, and this table there
    CLIENT_ENDED = auto()  # the client will send no more; the upstream may
    UPSTREAM_ENDED = auto()  # the upstream will send no more; the client may
    CLIENT_LOST = auto()  # the client is reset; what it had said goes to the upstream first
    UPSTREAM_LOST = auto()  # the upstream is reset; what it had said goes to the client first
    FINISHING = auto()  # both have ended; the last bytes are being written
    CLOSED = auto()  # it is over


class Event(Enum):
    """What happened."""

    __hash__ = object.__hash__

    HOLD = auto()  # the route is held, and has room for one more that waits
    DIAL = auto()  # a connection has begun
    SEARCH = auto()  # there is nothing to try at once, or it has failed
    RELEASED = auto()  # the route is held no longer
    ANEW = auto()  # the route has changed, or something answers: look anew, if there is no upstream
    CONNECTED = auto()  # there is an upstream
    FAILED = auto()  # no upstream within the route's `connect`, or no room or time left in a hold
    HAND = auto()  # a worker has both sockets now
    RETURNED = auto()  # the worker tells of the end, or has ended itself
    CLIENT_END = auto()  # the client has sent its end (FIN)
    UPSTREAM_END = auto()  # the upstream has
    CLIENT_RESET = auto()  # the client has reset the connection, or is lost
    UPSTREAM_RESET = auto()  # the upstream has, or is
    CUT = auto()  # we end it
    DELIVERED = auto()  # the other side has acknowledged all that the lost one had said
    FINISHED = auto()  # the last bytes are written, both sides are closed


class Action(Enum):
    """What to do about it."""

    LEAVE_HOLD = auto()  # give up the place in the hold
    DROP_DIAL = auto()  # give up the connection that is being made
    STOP_SEARCH = auto()
    END_CLIENT = auto()  # after all bytes are written: shut down our sending side
    END_UPSTREAM = auto()
    CLOSE = auto()  # both sides have ended: write what is left, then close both
    CLOSE_CLIENT = auto()  # nobody will read what is left for the client
    CLOSE_UPSTREAM = auto()
    RESET_CLIENT = auto()
    RESET_UPSTREAM = auto()
    DELIVER_TO_CLIENT = auto()  # what the upstream had said, until the client has acknowledged it
    DELIVER_TO_UPSTREAM = auto()
    CUT_IN_WORKER = auto()  # have the worker cut it; its end is told as any other


# No upstream yet: how each of these is given up.
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
    (State.ACCEPTED, Event.CONNECTED): (State.OPEN, ()),  # in a worker: it has both from the start
    (State.ACCEPTED, Event.FAILED): (State.CLOSED, (Action.RESET_CLIENT,)),
    (State.HELD, Event.RELEASED): (State.ACCEPTED, ()),
    (State.HELD, Event.FAILED): (State.CLOSED, (Action.RESET_CLIENT,)),
    # It has asked for nothing; an end would look like an empty answer.
    (State.HELD, Event.CLIENT_END): (State.CLOSED, (Action.LEAVE_HOLD, Action.RESET_CLIENT)),
    (State.DIALLING, Event.CONNECTED): (State.OPEN, ()),
    (State.DIALLING, Event.DIAL): (State.DIALLING, ()),  # another, beside or instead
    (State.DIALLING, Event.SEARCH): (State.SEARCHING, ()),
    (State.SEARCHING, Event.CONNECTED): (State.OPEN, ()),
    (State.SEARCHING, Event.FAILED): (State.CLOSED, (Action.RESET_CLIENT,)),
    **{
        (state, event): (State.CLOSED, (*actions, Action.RESET_CLIENT))
        for state, actions in _GIVEN_UP.items()
        for event in (Event.CLIENT_RESET, Event.CUT)
    },
    # Who is held already goes on waiting, and who has an upstream keeps it.
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
    # What a side had said before its reset was acknowledged to it: its peer must not miss it.
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
    # What was on its way when it was over comes too late.
    **{
        (state, event): (state, ())
        for state in OVER
        for event in (Event.CLIENT_END, Event.UPSTREAM_END, Event.DELIVERED)
    },
    (State.CLOSED, Event.CLIENT_RESET): (State.CLOSED, ()),
    (State.CLOSED, Event.UPSTREAM_RESET): (State.CLOSED, ()),
    (State.CLOSED, Event.CUT): _RESET_BOTH,  # after an error of ours in the middle of an end
}


def shown(state: State, leaving: bool) -> str:
    """Return the word of `ambassador sessions` for a session in `state`, whose endpoint has left
    the route if it is `leaving`.
    """
    if state is State.HELD:
        return "held"
    if state in LOOKING:
        return "waiting"
    return "leaving" if leaving else "open"
