import os
import socket
import subprocess
import sys

import pytest

from ambassador.admin import locate
from ambassador.admin.locate import ANSWERS, DEAD, DENIED, every, find
from ambassador.errors import RunError


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """Make folders of this test the only places there are; the first is XDG_RUNTIME_DIR."""
    places = [tmp_path / "first" / "admin.sock", tmp_path / "second" / "admin.sock"]
    for place in places:
        place.parent.mkdir()
    monkeypatch.setattr(locate, "candidates", lambda environ: iter(places))
    return places


def test_it_finds_the_first_that_answers(serve, runtime):
    first, second = runtime
    with pytest.raises(RunError, match=r"^no ambassador is running here: .*ambassador run"):
        find({})
    serve(second)
    assert find({}) == second
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(first))
    assert find({}) == second  # what a dead one left behind does not count
    first.unlink()
    serve(first)
    assert find({}) == first


def test_one_that_is_too_busy_to_accept_is_found(runtime):
    first, _ = runtime
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(str(first))
        busy.listen(0)
        waiting.connect(str(first))
        assert find({}) == first


@pytest.mark.root
def test_one_that_belongs_to_another_user_is_told_apart_from_none(serve, runtime):
    serve(runtime[1])
    os.seteuid(65534)  # the folders of a test are its user's alone
    try:
        with pytest.raises(RunError, match=rf"^not allowed to ask .* at .*{runtime[1]}$"):
            find({})
    finally:
        os.seteuid(0)
    assert find({}) == runtime[1]


def test_the_one_that_is_named_is_the_only_one_asked(serve, runtime, tmp_path):
    serve(runtime[0])
    missing = tmp_path / "missing.sock"
    with pytest.raises(RunError, match=rf"nothing answers at {missing};"):
        find({}, str(missing))
    assert find({}, str(runtime[0])) == runtime[0]


@pytest.mark.root
def test_a_socket_in_a_folder_somebody_else_made_for_us_is_not_asked(serve, runtime):
    serve(runtime[0])
    folder = runtime[0].parent
    folder.parent.chmod(0o1777)  # as /dev/shm is
    os.chown(folder, 65534, 65534)
    with pytest.raises(RunError, match=f"{folder} belongs to user 65534, and is not asked"):
        find({})
    folder.parent.chmod(0o755)  # now only root can have given it away
    assert find({}) == runtime[0]
    assert find({}, str(runtime[0])) == runtime[0]


@pytest.mark.root
def test_a_stranger_who_listens_in_our_folder_is_not_asked(runtime):
    script = (
        "import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]);"
        "os.setuid(65534); s.listen(); print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(runtime[0])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as stranger:
        stranger.stdout.readline()
        with pytest.raises(RunError, match="is served by user 65534, and is not asked"):
            find({})


def test_several_ambassadors_are_told_of(serve, runtime):
    serve(runtime[0])
    script = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen();"
        "print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(runtime[1])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        told = rf"2 ambassadors run here: .* say which one is meant: --admin {runtime[0]}"
        with pytest.raises(RunError, match=told):
            find({})
    assert find({}) == runtime[0]


def test_one_is_found_by_its_name(serve, runtime):
    web = runtime[1].with_name("web.sock")
    serve(web)
    assert find({}) == find({}, name="web") == web
    with pytest.raises(RunError, match=r"^no ambassador called wbe is running .* there is web$"):
        find({}, name="wbe")
    serve(runtime[0])
    assert find({}, name="web") == web


def test_of_several_those_that_there_are_are_told_with_their_names(serve, runtime):
    serve(runtime[0])
    script = (
        "import os, socket, sys; os.umask(0o177); s = socket.socket(socket.AF_UNIX);"
        "s.bind(sys.argv[1]); s.listen(); print(flush=True); sys.stdin.read()"
    )
    web = runtime[1].with_name("web.sock")
    command = [sys.executable, "-c", script, str(web)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(RunError, match=r"one without a name at .*, web at .*: --name web$"):
            find({})


def test_all_are_seen_and_dead_ones_told_apart(serve, runtime):
    serve(runtime[0])
    dead = runtime[0].with_name("dead.sock")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(dead))
        dead.chmod(0o600)
    first, second = every({})
    assert (first.path, first.name, first.state) == (runtime[0], "", ANSWERS)
    assert first.pid == os.getpid()
    assert (second.path, second.name, second.state) == (dead, "dead", DEAD)
    assert second.why == f"no process listens there any longer; rm {dead}"
    assert dead.exists()


@pytest.mark.root
def test_one_that_may_not_be_asked_is_seen(serve, runtime):
    serve(runtime[0])
    for folder in runtime[0].parents[1:5]:
        folder.chmod(folder.stat().st_mode | 0o111)
    runtime[0].parent.chmod(0o755)
    os.seteuid(65534)
    try:
        found = every({})
    finally:
        os.seteuid(0)
    assert [one.state for one in found] == [DENIED]
