import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tests.answering import running, saying
from tests.ports import free_port
from tests.wait import until


def test_a_postgres_works(verdict, tmp_path):
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not folders or not shutil.which("setpriv"):
        pytest.skip("needs PostgreSQL")
    port, data = free_port(), tmp_path / "data"
    data.mkdir()
    shutil.chown(data, "nobody")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    as_nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    initdb = folders[-1].with_name("initdb")
    (tmp_path / "password").write_text("secret\n")
    options = ("--no-sync", "--auth=scram-sha-256", f"--pwfile={tmp_path}/password")
    subprocess.run(
        [*as_nobody, str(initdb), *options, "-D", str(data)],
        capture_output=True,
        check=True,
        timeout=60,
    )
    command = (str(folders[-1]), "-D", str(data), "-p", str(port), "-k", str(data))
    with running(*as_nobody, *command) as process:
        until(lambda: verdict("postgres", port) == "", 20)
        process.terminate()
        process.wait(20)
    assert verdict("postgres", port) == "connection refused"


def error(code, text):
    fields = b"SFATAL\0C" + code + b"\0M" + text + b"\0\0"
    return b"E" + struct.pack("!I", len(fields) + 4) + fields


def test_a_postgres_that_starts_up_is_no_health_one_that_knows_no_such_user_is(verdict):
    with saying(error(b"57P03", b"the database system is starting up")) as port:
        assert verdict("postgres", port) == "the database system is starting up"
    with saying(error(b"28000", b'role "ambassador" does not exist')) as port:
        assert verdict("postgres", port) == ""


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"R\0\0\0\x17\0\0\0\nSCRAM-SHA-256\0\0", ""),
        (b"HTTP/1.1 400\r\n", "does not answer like PostgreSQL"),
        (b"E", "ends before it has answered"),
        (b"E\xff\xff\xff\xff" + b"x" * 9, "does not answer like PostgreSQL"),
    ],
)
def test_what_else_may_be_said(verdict, said, why):
    with saying(said) as port:
        found = verdict("postgres", port)
        assert why in found
        assert bool(why) == bool(found)
