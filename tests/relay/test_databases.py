"""Real databases that take clients over TLS alone, and clients that speak it to nobody."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pymysql
import pytest

from ambassador.model import Tls, Verify
from ambassador.tls.keyring import Keyring
from tests.answering import running
from tests.identities import Identities
from tests.mariadb import bootstrap
from tests.names import StaticResolver
from tests.ports import free_port
from tests.relay.running import endpoint, route
from tests.wait import until

AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
pytestmark = [pytest.mark.root, pytest.mark.parametrize("loop_factory", ["uvloop"], indirect=True)]


@pytest.fixture
def folder():
    """A folder of the user nobody, with db.pem and db.key, which are of db.example."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        identities = Identities(path)
        text = Path(identities.bundle("db.example")).read_text()
        parts = ["-----BEGIN" + one for one in text.split("-----BEGIN")[1:]]
        (path / "db.pem").write_text(parts[0])
        (path / "db.key").write_text(parts[1])
        (path / "db.key").chmod(0o600)
        trusts = identities.bundle("client-server")
        for one in (path, path / "db.key", path / "db.pem"):
            shutil.chown(one, "nobody", "nogroup")
        yield SimpleNamespace(path=path, trusts=trusts)


@pytest.fixture
def hop(start_relay, folder):
    """Lead to the database at a port of this host by its TLS; return where."""

    def lead(port, service):
        names = StaticResolver(**{"db.example": ("127.0.0.1",)})
        relay = start_relay(keyring=Keyring(folder.trusts), resolver=names)
        there = endpoint(f"db.example:{port}", tls=Tls(Verify.SERVER, starttls=service))
        relay.add(route(front := free_port(), there, connect=5.0))
        return front

    return lead


@pytest.fixture
def postgres(folder):
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not programs:
        pytest.skip("needs PostgreSQL: ./dev test")
    data, port = folder.path / "data", free_port()
    (folder.path / "password").write_text("secret\n")
    options = ("--no-sync", "--auth=scram-sha-256", f"--pwfile={folder.path}/password")
    initdb = [*AS_NOBODY, str(programs[-1].with_name("initdb")), *options, "-D", str(data)]
    subprocess.run(initdb, capture_output=True, check=True, timeout=60)
    (data / "pg_hba.conf").write_text("hostssl all all all scram-sha-256\n")
    settings = {"ssl": "on", "ssl_cert_file": "../db.pem", "ssl_key_file": "../db.key"}
    settings["dynamic_shared_memory_type"] = "mmap"  # nothing stays in /dev/shm
    said = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    command = (str(programs[-1]), "-D", str(data), "-p", str(port), "-k", str(folder.path), *said)
    with running(*AS_NOBODY, *command):
        yield port


def test_postgresql_with_scram_and_clients_that_ask_for_tls_or_do_not(postgres, hop):
    def asked(port, mode):
        where = f"host=127.0.0.1 port={port} user=nobody password=secret dbname=postgres"
        with psycopg.connect(f"{where} sslmode={mode}", connect_timeout=10) as client:
            question = "select ssl, version from pg_stat_ssl where pid = pg_backend_pid()"
            return client.execute(question).fetchone()

    def is_up():
        try:
            return asked(postgres, "require")[0]
        except psycopg.OperationalError:
            return False

    until(is_up, 30)
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        asked(postgres, "disable")
    front = hop(postgres, "postgres")
    for mode in ("disable", "prefer", "disable"):  # the last is resumed
        assert asked(front, mode) == (True, "TLSv1.3")


@pytest.fixture
def mariadb(folder):
    if not shutil.which("mariadbd"):
        pytest.skip("needs MariaDB: ./dev test")
    path, port = folder.path / "mysql", free_port()
    path.mkdir()
    options = bootstrap(path)
    (path / "first").write_text("create user guest@'%' identified by 'secret' require ssl;\n")
    with running(
        *("mariadbd", *options, f"--port={port}", "--bind-address=127.0.0.1"),
        *(f"--socket={path}/sock", f"--pid-file={path}/pid", f"--log-error={path}/log"),
        *(f"--ssl-cert={folder.path}/db.pem", f"--ssl-key={folder.path}/db.key"),
        *(f"--init-file={path}/first", "--skip-name-resolve"),
    ):
        yield port


def test_mariadb_and_a_client_that_speaks_no_tls(mariadb, hop):
    def asked(port):
        with pymysql.connect(
            host="127.0.0.1", port=port, user="guest", password="secret", ssl_disabled=True,
            connect_timeout=10,
        ) as client, client.cursor() as cursor:  # fmt: skip
            cursor.execute("show status like 'Ssl_version'")
            return cursor.fetchone()[1]

    def is_up():
        try:
            asked(mariadb)
        except pymysql.OperationalError as error:
            return error.args[0] == 1045  # denied: it wants TLS
        return False

    until(is_up, 30)
    front = hop(mariadb, "mysql")
    for _ in range(2):
        assert asked(front) == "TLSv1.3"
