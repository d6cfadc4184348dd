import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from ambassador.admin.place import all_beside, beside, called, candidates, is_name, name_of, usable


def test_the_best_place_is_named_first():
    own = Path(f"/dev/shm/ambassador-{os.geteuid()}/admin.sock")
    assert list(candidates({})) == [Path("/run/ambassador/admin.sock"), own]
    assert list(candidates({"XDG_RUNTIME_DIR": "/run/user/1000"})) == [
        Path("/run/ambassador/admin.sock"),
        Path("/run/user/1000/ambassador/admin.sock"),
        own,
    ]
    assert len(list(candidates({"XDG_RUNTIME_DIR": ""}))) == 2


def test_a_folder_is_made_for_its_owner_alone(tmp_path):
    old = os.umask(0)
    try:
        assert usable(tmp_path / "ambassador" / "admin.sock")
    finally:
        os.umask(old)
    assert (tmp_path / "ambassador").stat().st_mode & 0o777 == 0o700
    assert usable(tmp_path / "ambassador" / "admin.sock")  # it may be there already


def test_a_place_that_cannot_be_is_not_usable(tmp_path):
    assert not usable(tmp_path / "a" / "b" / "admin.sock")
    (tmp_path / "file").write_text("")
    assert not usable(tmp_path / "file" / "admin.sock")
    assert not usable(Path("/proc/ambassador/admin.sock"))


@pytest.mark.root
def test_a_read_only_place_is_not_usable(tmp_path):
    (tmp_path / "there").mkdir()
    code = (
        "import sys; from pathlib import Path; from ambassador.admin.place import usable;"
        "print([usable(Path(sys.argv[1], name, 'admin.sock')) for name in ('there', 'new')])"
    )
    script = 'mount --bind "$1" "$1"; mount -o remount,ro,bind "$1"; "$3" -c "$2" "$1"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script, "sh", tmp_path, code, sys.executable],
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.stdout == "[False, False]\n"


@pytest.mark.root
def test_a_folder_that_another_user_has_made_is_not_usable(tmp_path):
    folder = tmp_path / "ambassador-0"
    folder.mkdir(mode=0o777)
    assert usable(folder / "admin.sock")
    os.chown(folder, 65534, 65534)
    assert not usable(folder / "admin.sock")


def test_a_name_is_that_of_a_file():
    place = Path("/run/ambassador/admin.sock")
    assert called(place, "web") == Path("/run/ambassador/web.sock")
    assert called(place, "") == place
    assert name_of(called(place, "web-2")) == "web-2"
    assert name_of(place) == ""
    assert name_of(Path("/run/ambassador/web-4026531840.sock")) == "web"
    assert name_of(Path("/run/ambassador/admin-4026531840.sock")) == ""


@pytest.mark.parametrize("text", ["web", "Web_2", "a" * 40, "0", "admin2", "db-6379"])
def test_what_is_a_name(text):
    assert is_name(text)


@pytest.mark.parametrize(
    "text", ["", "admin", "a" * 41, "-a", "a/b", "a.b", "a b", "web-4026531840", "\u00e4", "a\n"]
)
def test_what_is_none(text):
    assert not is_name(text)


def test_what_may_be_a_route_s_socket_is_passed_over(tmp_path):
    usual = tmp_path / "admin.sock"
    with ExitStack() as stack:

        def bound(name, mode=0o755):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.bind(str(tmp_path / name))
            (tmp_path / name).chmod(mode)
            return tmp_path / name

        own, private = bound("admin-4026531840.sock"), bound("private.sock", 0o600)
        bound("route.sock")
        named = bound("web.sock")
        bound("web.sock.upgrade")
        (tmp_path / "file.sock").write_text("")
        assert all_beside(usual) == [usual, own, private, named]
        assert beside(usual) == [usual, own]
    assert all_beside(tmp_path / "none" / "admin.sock") == [tmp_path / "none" / "admin.sock"]
