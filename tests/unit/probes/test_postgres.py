import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.answering import running, saying
from tests.ports import free_port
from tests.wait import until


@pytest.fixture
def nobody():
    """A folder of the user nobody, as whom programs can be started: PostgreSQL will not be root."""
    with tempfile.TemporaryDirectory() as name:
        shutil.chown(name, "nobody")
        yield Path(name), ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


@pytest.mark.root
def test_a_postgres_works(verdict, nobody):
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not programs:
        pytest.skip("needs PostgreSQL: ./dev test")
    (folder, as_nobody), port = nobody, free_port()
    (folder / "password").write_text("secret\n")
    options = ("--no-sync", "--auth=scram-sha-256", f"--pwfile={folder}/password")
    subprocess.run(
        [*as_nobody, programs[-1].with_name("initdb"), *options, "-D", folder / "data"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    command = (str(programs[-1]), "-D", f"{folder}/data", "-p", str(port), "-k", str(folder))
    command += ("-c", "dynamic_shared_memory_type=mmap")  # nothing stays in /dev/shm
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
