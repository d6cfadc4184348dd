"""A user other than root, with an interpreter that has file capabilities, hands them to nft."""

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import ambassador

USER = 65532
PATH = f"{os.environ['PATH']}:/usr/sbin:/usr/bin"
SCRIPT = """
import json, subprocess, sys
from ambassador.planes.kernel.privilege import acquire, look
before = look()
acquire()
after = look()
done = subprocess.run([after.nft, "list", "tables"], capture_output=True, text=True)
print(json.dumps([before.missing, after.missing, after.no_cut, done.returncode, done.stderr]))
"""


# Where another user can read them, wherever they are: the interpreter with file capabilities,
# its library, and this package.
PLACES = """
mount -t tmpfs none /mnt
mkdir /mnt/library /mnt/package
mount --bind "$1" /mnt/library
mount --bind "$2" /mnt/package
cp --preserve=all "$3" /mnt/python
shift 3
exec "$@"
"""


@pytest.fixture
def interpreter(tmp_path):
    """A copy of this interpreter with file capabilities."""
    copy = tmp_path / "python"
    shutil.copy(os.path.realpath(sys.executable), copy)
    permitted = 1 << 12 | 1 << 13
    os.setxattr(copy, "security.capability", struct.pack("<5I", 0x02000000, permitted, 0, 0, 0))
    return copy


def run(interpreter, as_root=(), as_user=()):
    package = str(Path(ambassador.__file__).parents[1])
    done = subprocess.run(
        ("unshare", "--net", "--mount", "--propagation", "private", "sh", "-ec", PLACES, "sh",
         sys.base_prefix, package, str(interpreter), *as_root,
         "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--inh-caps=-all",
         *as_user, "/mnt/python", "-c", SCRIPT),
        check=False, capture_output=True, text=True, timeout=30,
        env={"PYTHONHOME": "/mnt/library", "PYTHONPATH": "/mnt/package", "PATH": PATH},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_permitted_ones_become_ambient_and_nft_may_act(interpreter):
    before, after, no_cut, code, stderr = run(interpreter)
    assert f"user {USER} has no CAP_NET_ADMIN" in before
    assert (after, no_cut, code, stderr) == ("", "", 0, "")


def test_under_no_new_privileges_there_is_nothing_to_take(interpreter):
    _, after, _, code, _ = run(interpreter, as_user=("setpriv", "--no-new-privs"))
    assert after.startswith(f"under no-new-privileges user {USER} cannot have CAP_NET_ADMIN")
    assert code != 0


def test_an_interpreter_with_capabilities_that_are_not_granted_runs_all_the_same(interpreter):
    _, after, _, code, _ = run(interpreter, ("setpriv", "--bounding-set=-net_admin,-net_raw"))
    assert after == "CAP_NET_ADMIN is missing (docker run --cap-add NET_ADMIN)"
    assert code != 0
