import os
import subprocess
import sys
from pathlib import Path

import pytest

from ambassador.admin.place import candidates, usable


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
