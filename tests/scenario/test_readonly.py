"""A route follows whichever MariaDB is not read-only."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.netns import Namespace
from tests.program import Program
from tests.wait import until

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not shutil.which("mariadbd"), reason="needs MariaDB: ./dev test"),
]
A, B = 3401, 3402
# Debian 12 has the first, Debian 13 the second.
TABLES = "mysql/mysql_system_tables", "mariadb/mariadb_system_tables"


class Pair:
    """Two that do not replicate: who is read-only is a matter of how each is started."""

    def __init__(self, net: Namespace, folder: Path) -> None:
        self.net, self._folder = net, folder
        self._processes = {}
        share = Path("/usr/share")
        name = next(one for one in TABLES if (share / f"{one}.sql").exists())
        tables = [share / f"{name}{end}.sql" for end in ("", "_data")]
        sql = "create database mysql;\nuse mysql;\n" + "".join(one.read_text() for one in tables)
        (folder / "first").write_text(
            "create user if not exists probe@'%' identified by 'secret';\n"
        )
        for port in (A, B):
            (folder / str(port)).mkdir()
            subprocess.run(
                [*self._command(port), "--bootstrap"], input=sql, text=True, capture_output=True,
                check=True, timeout=60,
            )  # fmt: skip

    def start(self, port: int, *, read_only: bool) -> None:
        place = self._folder / str(port)
        self._processes[port] = self.net.start(
            *self._command(port), f"--port={port}", "--bind-address=127.0.0.1",
            f"--server-id={port}", f"--socket={place}/sock", f"--pid-file={place}/pid",
            f"--log-error={place}/log", f"--init-file={self._folder}/first",
            *(["--read-only=1"] if read_only else []),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self, port: int) -> None:
        self._processes[port].kill()
        self._processes[port].wait()

    def close(self) -> None:
        for port in self._processes:
            self.stop(port)

    def _command(self, port: int) -> list[str]:
        where = f"--datadir={self._folder / str(port)}"
        return ["mariadbd", "--no-defaults", where, "--user=root", "--innodb-buffer-pool-size=8M"]


@pytest.fixture
def pair(tmp_path):
    found = Pair(Namespace(), tmp_path)
    yield found
    found.close()


def answers(net, port):
    """Return whether somebody listens there."""
    try:
        net.call(socket.create_connection, ("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def leads_to(program, port, number):
    until(lambda: len(program.said("primary")) >= number, 30)
    assert f"127.0.0.1:{port}:" in program.said("primary")[-1]


def test_the_one_that_takes_writes_is_followed_and_the_one_before_never_again(pair, tmp_path):
    pair.start(A, read_only=False)
    pair.start(B, read_only=True)
    (tmp_path / "password").write_text("secret\n")
    options = {
        "DB_PORT_3306_TCP": f"tcp://127.0.0.1:{A},tcp://127.0.0.1:{B}",
        "DB_PORT_3306_TCP_HEALTH": "mysql-primary",
        "DB_PORT_3306_TCP_USER": "probe",
        "DB_PORT_3306_TCP_PASSWORD_FILE": str(tmp_path / "password"),
        "AMBASSADOR_PLANE": "relay",
    }
    with Program(net=pair.net, measured=False, **options) as program:
        leads_to(program, A, 1)
        pair.stop(A)
        program.wait_for("primary_silent")
        pair.stop(B)
        pair.start(B, read_only=False)
        leads_to(program, B, 2)
        pair.start(A, read_only=False)  # back, and takes writes
        until(lambda: answers(pair.net, A), 20)
        assert len(program.said("primary")) == 2
        assert "secret" not in str(program.events)
