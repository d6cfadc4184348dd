"""Which sessions a cut is meant for."""

import pytest

from ambassador.core.commands import Cut
from ambassador.core.meant import meant
from ambassador.core.reports import SessionStatus
from ambassador.errors import ConfigError, NotFoundError
from ambassador.model import Endpoint, Inet, Route

A, B = (Endpoint(Inet(f"db{name}", 1)) for name in "ab")
ONE, OTHER = Route("one", Inet("", 1), (A, B)), Route("other", Inet("", 2), (A,))


def session(name, route, endpoint, address):
    return SessionStatus(name, route, "h:1", endpoint, address, 1.0, 0, 0, "relay", "open")


SESSIONS = [
    session("1", ONE, A, "10.0.0.1:1"),
    session("2", ONE, None, "10.0.0.9:1"),  # its endpoint has left
    session("3", OTHER, A, "10.0.0.1:1"),
]


@pytest.mark.parametrize(
    ("command", "ids"),
    [
        (Cut("one"), ["1", "2"]),
        (Cut(endpoint="tcp://dba:1"), ["1", "3"]),
        (Cut("other", "tcp://dba:1"), ["3"]),
        (Cut("one", "10.0.0.9:1"), ["2"]),
        (Cut(session="2"), ["2"]),
        (Cut("one", "tcp://dbb:1"), []),
    ],
)
def test_sessions_are_meant_by_route_endpoint_address_or_id(command, ids):
    assert [one.id for one in meant(command, SESSIONS, [ONE, OTHER])] == ids


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (Cut("none"), NotFoundError),
        (Cut(session="9"), NotFoundError),
        (Cut("one", session="1"), ConfigError),
        (Cut("other", "tcp://dbb:1"), NotFoundError),
    ],
)
def test_what_is_not_there_is_an_error(command, error):
    with pytest.raises(error):
        meant(command, SESSIONS, [ONE, OTHER])
