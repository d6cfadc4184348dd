"""The line at the end of a session."""

import pytest

from ambassador.model import Endpoint, Inet, Proto, Reason
from ambassador.ports import SessionRecord
from ambassador.telemetry.debug_log import tell

ENDPOINT = Endpoint(Inet("db", 1))


def record(**fields):
    whole = {
        "route": "redis", "proto": Proto.TCP, "client": "10.0.0.9:4000", "endpoint": ENDPOINT,
        "address": "10.0.0.1:1", "plane": "relay", "to_upstream": 40, "to_client": 120,
        "connected_after": 0.1, "total": 2.5, "reason": Reason.CLIENT, "detail": "",
    }  # fmt: skip
    return SessionRecord(**{**whole, **fields})


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({}, "10.0.0.1:1  40 B up  120 B down  2.500 s  client"),
        (
            {"address": "", "reason": Reason.TIMEOUT, "detail": "held"},
            "-  40 B up  120 B down  2.500 s  timeout: held",
        ),
    ],
)
def test_the_line_says_who_where_how_much_and_why(caplog, fields, end):
    caplog.set_level("DEBUG", "ambassador")
    tell(record(**fields))
    (line,) = caplog.records
    assert line.getMessage() == f"redis  10.0.0.9:4000 -> {end}"
    assert line.event == "session_closed"
    assert line.fields["reason"] == fields.get("reason", Reason.CLIENT).value


def test_below_debug_nothing_is_said(caplog):
    caplog.set_level("INFO", "ambassador")
    tell(record())
    assert caplog.records == []
