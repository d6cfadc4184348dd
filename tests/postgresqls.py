"""A PostgreSQL and its standby, as the user nobody."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.netns import Namespace

__all__ = ["AS_NOBODY", "PROGRAMS", "Pair"]

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
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
    """A primary and a standby of it, at two ports of 127.0.0.1; in a namespace, if there is one."""

    def __init__(self, net: Namespace | None, ports: tuple[int, int]) -> None:
        self.net = net
        self.ports = first, second = ports
        self.folder = Path(tempfile.mkdtemp())
        self.folder.chmod(0o755)
        shutil.chown(self.folder, "nobody")
        self._run("initdb", "--no-sync", "--auth=trust", "-U", "admin", "-D", self.place(first))
        key, crt = self.place(first) / "server.key", self.place(first) / "server.crt"
        subprocess.run(
            [*AS_NOBODY, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
             "/CN=localhost", "-keyout", key, "-out", crt],
            check=True, capture_output=True, env={"HOME": "/tmp", "PATH": os.environ["PATH"]},
        )  # fmt: skip
        key.chmod(0o600)
        self.authorities = crt
        (self.place(first) / "pg_hba.conf").write_text(HBA)
        self.start(first)
        self.sql(first, USERS)
        source = ("-h", "127.0.0.1", "-p", first, "-U", "admin")
        how = ("-R", "-X", "stream", "-c", "fast", "--no-sync")
        self._run("pg_basebackup", *source, *how, "-D", self.place(second))
        self.start(second)

    def place(self, port: int) -> Path:
        """Return the folder of the one at `port`."""
        return self.folder / str(port)

    def start(self, port: int) -> None:
        options = (
            f"-p {port} -k {self.folder} -F -c listen_addresses=127.0.0.1 -c ssl=on "
            "-c shared_buffers=16MB -c wal_log_hints=on "
            "-c dynamic_shared_memory_type=mmap"  # in its folder: nothing stays in /dev/shm
        )
        log = self.folder / f"{port}.log"
        self._run("pg_ctl", "-w", "-D", self.place(port), "-o", options, "-l", log, "start")

    def stop(self, port: int) -> None:
        self._run("pg_ctl", "-m", "immediate", "-D", self.place(port), "stop")

    def promote(self, port: int) -> None:
        self._run("pg_ctl", "-w", "-D", self.place(port), "promote")

    def sql(self, port: int, text: str, host: str = "") -> str:
        where = ("-h", host or self.folder, "-p", port, "-U", "admin", "-d", "postgres")
        return self._run("psql", "-XAtq", *where, "-c", text)

    def close(self) -> None:
        for port in self.ports:
            with contextlib.suppress(subprocess.CalledProcessError):
                self.stop(port)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *words: object) -> str:
        command = [*AS_NOBODY, str(PROGRAMS[-1] / program), *map(str, words)]
        more: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        more |= {"text": True, "check": True, "timeout": 60}
        if self.net is None:
            finished = subprocess.run(command, **more)  # noqa: PLW1510 (it is checked)
        else:
            finished = self.net.call(subprocess.run, command, **more)
        return str(finished.stdout).strip()
