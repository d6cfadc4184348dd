"""The one line at the start, and one at the end."""

from pathlib import Path

import pytest

from ambassador import __version__
from ambassador.app.ready import in_a_line, tell_cut, tell_ready
from ambassador.model import Inet, Route
from ambassador.ports import RouteStatus
from ambassador.settings import Settings


def test_it_says_what_answers_where(caplog):
    caplog.set_level("INFO", "ambassador")
    environ = {
        "AMBASSADOR_CONFIG": "/etc/a.toml",
        "AMBASSADOR_METRICS": ":9464",
        "AMBASSADOR_NAME": "web",
        "AMBASSADOR_STATE": "/var/lib/a",
    }
    tell_ready(Settings.from_environ(environ, {}), 2, Path("/run/a.sock"))
    tell_ready(Settings.from_environ({}, {}), 1, None)
    assert [record.getMessage() for record in caplog.records] == [
        f"ambassador {__version__} is ready: 2 routes; name web, "
        "configuration /etc/a.toml, state /var/lib/a, admin /run/a.sock, metrics :9464",
        f"ambassador {__version__} is ready: 1 route",
    ]


def test_it_says_how_many_sessions_were_cut_and_nothing_where_none_was(caplog):
    for sessions in (0, 1, 2):
        tell_cut(sessions, 2.5)
    assert [record.getMessage() for record in caplog.records] == [
        "1 session was still open after 2.5 s and cut",
        "2 sessions were still open after 2.5 s and cut",
    ]


@pytest.mark.parametrize(
    ("count", "line"),
    [
        (0, "0 routes: "),
        (1, "1 route: r0 (relay)"),
        (6, "6 routes: r0 (relay), r1 (relay), r2 (relay), r3 (relay), r4 (relay), ..."),
    ],
)
def test_a_line_has_the_number_and_the_first_five(count, line):
    routes = [Route(f"r{number}", Inet("", 1), ()) for number in range(count)]

    def status(some):
        return [RouteStatus(one, "relay", "", 0, 0, 0, 0, 0) for one in some]

    assert in_a_line(routes, status) == line
