import json

import pytest

from ambassador.cli.running import duration, place_of, show
from ambassador.cli.verbs import invoke
from ambassador.core.results import Done
from ambassador.errors import ConfigError


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (["redis"], {"route": "redis"}),
        (["redis-6379"], {"route": "redis-6379"}),
        (["tcp://db1:5432"], {"endpoint": "tcp://db1:5432"}),
        (["db1:5432"], {"endpoint": "db1:5432"}),
        (["[fd00::1]:5432"], {"endpoint": "[fd00::1]:5432"}),
        (["/run/db.sock"], {"endpoint": "/run/db.sock"}),
        (["redis", "db1:5432"], {"route": "redis", "endpoint": "db1:5432"}),
    ],
)
def test_what_is_a_route_and_what_an_endpoint(words, fields):
    assert place_of(*words) == fields


def test_a_duration_names_its_flag():
    read = duration("--timeout")
    assert read(None, None, None) is None
    assert read(None, None, "2m") == 120
    with pytest.raises(ConfigError, match=r"^flag --timeout: is no duration"):
        read(None, None, "soon")


def test_a_result_is_shown_as_text_or_as_json(capsys):
    done = Done("is done", ("a",), 2)
    show(done, "text", as_json=False)
    assert capsys.readouterr().out == "text\n"
    show(done, "text", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found == {"message": "is done", "routes": ["a"], "sessions": 2}


@pytest.mark.parametrize(
    "arguments",
    [
        ["move", "web", "tcp://h:1"], ["hold", "web"], ["release", "web"], ["drain", "web"],
        ["maint", "web"], ["ready", "web"], ["cut", "web"], ["sessions"], ["events"],
        ["add", "A_PORT_1_TCP=tcp://h:1"], ["remove", "web"], ["reset", "web"], ["reload"],
        ["top", "--once"], ["status"],
    ],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_7_when_there_is_no_ambassador_and_how_to_start_one(arguments, capsys, tmp_path):
    assert invoke([*arguments, "--admin", str(tmp_path / "none.sock")]) == 7
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no ambassador is running here" in captured.err
    assert "ambassador run REDIS_PORT_6379_TCP=tcp://HOST:6379" in captured.err
