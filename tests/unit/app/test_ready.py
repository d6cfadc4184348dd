"""The one line at the start."""

from pathlib import Path

from ambassador import __version__
from ambassador.app.ready import tell_ready
from ambassador.settings import Settings


def test_it_says_what_answers_where(caplog):
    caplog.set_level("INFO", "ambassador")
    environ = {
        "AMBASSADOR_CONFIG": "/etc/a.toml",
        "AMBASSADOR_METRICS": ":9464",
        "AMBASSADOR_STATE": "/var/lib/a",
    }
    tell_ready(Settings.from_environ(environ, {}), 2, Path("/run/a.sock"))
    tell_ready(Settings.from_environ({}, {}), 1, None)
    assert [record.getMessage() for record in caplog.records] == [
        f"ambassador {__version__} is ready: 2 routes; configuration /etc/a.toml, "
        "state /var/lib/a, admin /run/a.sock, metrics :9464",
        f"ambassador {__version__} is ready: 1 route",
    ]
