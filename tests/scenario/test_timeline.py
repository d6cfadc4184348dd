"""A route follows the PostgreSQL that was promoted last; it logs in by SCRAM, MD5, over TLS."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.netns import Namespace
from tests.program import Program
from tests.wait import until

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not PROGRAMS, reason="needs PostgreSQL: ./dev test"),
]
A, B = 5501, 5502
AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
HBA = """local all all trust
hostnossl all overtls all reject
host all admin all trust
host all probe all scram-sha-256
host all md5probe all md5
host all overtls all scram-sha-256
host replication all all trust
"""
USERS = """create role probe login password 'secret'; create role overtls login password 'secret';
set password_encryption = 'md5'; create role md5probe login password 'secret'"""


class Pair:
    """A primary and a standby, as the user nobody, in a namespace."""

    def __init__(self, net: Namespace) -> None:
        self.net = net
        self.folder = Path(tempfile.mkdtemp())
        self.folder.chmod(0o755)
        shutil.chown(self.folder, "nobody")
        self._run("initdb", "--no-sync", "--auth=trust", "-U", "admin", "-D", self.folder / "5501")
        key, crt = self.folder / "5501" / "server.key", self.folder / "5501" / "server.crt"
        subprocess.run(
            [*AS_NOBODY, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
             "/CN=localhost", "-keyout", key, "-out", crt],
            check=True, capture_output=True, env={"HOME": "/tmp", "PATH": os.environ["PATH"]},
        )  # fmt: skip
        key.chmod(0o600)
        self.authorities = crt
        (self.folder / "5501" / "pg_hba.conf").write_text(HBA)
        self.start(A)
        self.sql(A, USERS)
        self._run("pg_basebackup", "-h", "127.0.0.1", "-p", A, "-U", "admin", "-R", "-X", "stream",
                  "-c", "fast", "--no-sync", "-D", self.folder / "5502")  # fmt: skip
        self.start(B)

    def start(self, port: int) -> None:
        options = (
            f"-p {port} -k {self.folder} -F -c listen_addresses=127.0.0.1 -c ssl=on "
            "-c shared_buffers=16MB -c wal_log_hints=on"
        )
        log = self.folder / f"{port}.log"
        self._run("pg_ctl", "-w", "-D", self.folder / str(port), "-o", options, "-l", log, "start")

    def stop(self, port: int) -> None:
        self._run("pg_ctl", "-m", "immediate", "-D", self.folder / str(port), "stop")

    def promote(self, port: int) -> None:
        self._run("pg_ctl", "-w", "-D", self.folder / str(port), "promote")

    def sql(self, port: int, text: str, host: str = "") -> str:
        where = ("-h", host or self.folder, "-p", port, "-U", "admin", "-d", "postgres")
        return self._run("psql", "-XAtq", *where, "-c", text)

    def close(self) -> None:
        for port in (A, B):
            with contextlib.suppress(subprocess.CalledProcessError):
                self.stop(port)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *words: object) -> str:
        finished = self.net.call(
            subprocess.run,
            [*AS_NOBODY, str(PROGRAMS[-1] / program), *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
            timeout=60,
        )
        return finished.stdout.strip()


@pytest.fixture(scope="module")
def net():
    return Namespace()


@pytest.fixture(scope="module")
def pair(net):
    found = Pair(net)
    yield found
    found.close()


def following(net, folder, **options):
    password = folder / "password"
    password.write_text(options.pop("password", "secret") + "\n")
    environ = {
        "DB_PORT_5432_TCP": f"tcp://127.0.0.1:{A},tcp://127.0.0.1:{B}",
        "DB_PORT_5432_TCP_HEALTH": "postgres-primary",
        "DB_PORT_5432_TCP_USER": "probe",
        "DB_PORT_5432_TCP_PASSWORD_FILE": str(password),
        "AMBASSADOR_STATE": str(folder / "state"),
        "AMBASSADOR_PLANE": "relay",
        **{f"DB_PORT_5432_TCP_{key}": value for key, value in options.items()},
    }
    return Program(net=net, measured=False, **environ)


def leads_to(program, port, number=1):
    until(lambda: len(program.said("primary")) >= number, 15)
    assert f"127.0.0.1:{port}:" in program.said("primary")[-1]


@pytest.mark.parametrize("user", ["probe", "md5probe", "overtls"])
def test_each_way_to_log_in(net, pair, tmp_path, user):
    tls = {"HEALTH_TLS": str(pair.authorities)} if user == "overtls" else {}
    with following(net, tmp_path, USER=user, **tls) as program:
        leads_to(program, A)
        assert "secret" not in str(program.events)


@pytest.mark.parametrize(
    ("user", "password"), [("nobody_here", "secret"), ("probe", "wrong"), ("overtls", "secret")]
)
def test_who_is_not_let_in_leads_nowhere(net, pair, tmp_path, user, password):
    with following(net, tmp_path, USER=user, password=password) as program:
        program.wait_for("primary_lost")
        until(lambda: "no member" in program.said("primary_lost")[-1], 5)
        assert not program.said("primary")


def test_the_one_that_was_promoted_last_is_followed_and_the_one_before_never_again(
    net, pair, tmp_path
):
    with following(net, tmp_path) as program:
        leads_to(program, A)
        pair.promote(B)  # the one before goes on and takes writes
        leads_to(program, B, 2)
        assert pair.sql(5432, "select inet_server_port()", "127.0.0.1") == str(B)
        pair.stop(A)
        pair.start(A)
        assert pair.sql(5432, "select inet_server_port()", "127.0.0.1") == str(B)
    with following(net, tmp_path) as program:
        leads_to(program, B)
