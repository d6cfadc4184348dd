import json
import socket

import pytest

from ambassador.admin import locate
from ambassador.cli.verbs import invoke


@pytest.fixture
def listed(running, monkeypatch, capsys):
    """List what there is in the folder of `running`."""
    monkeypatch.setattr(locate, "candidates", lambda environ: iter([running.admin]))

    def listing(*arguments):
        capsys.readouterr()
        assert invoke(["list", *arguments]) == 0
        return capsys.readouterr().out

    return listing


def test_each_ambassador_is_a_line_and_a_dead_socket_is_told_apart(listed, running):
    dead = running.admin.with_name("dead.sock")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(dead))
        dead.chmod(0o600)
    head, first, second, _, note = listed().splitlines()
    words = "NAME STATE PID UP ROUTES OPEN VERSION ADMIN SOCKET"
    assert " ".join(head.split()) == words
    assert first.split()[:3] == ["-", "ready", str(running.process.pid)]
    assert first.endswith(str(running.admin))
    assert second.split() == ["dead", "dead", "-", "-", "-", "-", "-", str(dead)]
    assert note == f"{dead}: no process listens there any longer; rm {dead}"
    assert dead.exists()
    dead.unlink()


def test_the_same_as_json(listed, running):
    (one,) = json.loads(listed("--json"))
    assert (one["state"], one["routes"], one["admin"]) == ("ready", 2, str(running.admin))


def test_that_there_is_none(listed, monkeypatch, tmp_path):
    monkeypatch.setattr(locate, "candidates", lambda environ: iter([tmp_path / "admin.sock"]))
    assert listed() == "no ambassador is running here\n"


def test_one_that_does_not_speak_is_silent(listed, monkeypatch, tmp_path):
    monkeypatch.setattr(locate, "candidates", lambda environ: iter([tmp_path / "admin.sock"]))
    monkeypatch.setattr("ambassador.cli.list._PATIENCE", 0.1)
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "admin.sock"))
        mute.listen()
        assert listed().splitlines()[1].split()[:2] == ["-", "silent"]


def test_one_at_a_place_of_its_own_is_listed_where_the_environment_names_it(
    running, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(locate, "candidates", lambda environ: iter([tmp_path / "admin.sock"]))
    for place, lines in ((str(running.admin), 2), ("off", 1)):
        monkeypatch.setenv("AMBASSADOR_ADMIN", place)
        capsys.readouterr()
        assert invoke(["list"]) == 0
        assert len(capsys.readouterr().out.splitlines()) == lines
