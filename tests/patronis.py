"""A set that Patroni manages on a real etcd, and writers that know each acknowledged row."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from tests.netns import Namespace
from tests.wait import until
from tests.writing import Writing

__all__ = ["POSTGRES", "REST", "Rows", "Set"]

ETCD = 12379
POSTGRES = (5601, 5602)
REST = (8601, 8602)
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
# PostgreSQL does not run as root; what Patroni is made of may be where only root can read.
AS_NOBODY = (
    *("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)
_SETTLED = 60.0
_CONFIG = """
scope: lab
name: n{number}
restapi: {{listen: '127.0.0.1:{rest}', connect_address: '127.0.0.1:{rest}'}}
etcd3: {{host: '127.0.0.1:{etcd}'}}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 1
    retry_timeout: 3
    primary_start_timeout: 0
    postgresql:
      use_pg_rewind: true
      parameters: {{wal_log_hints: 'on', max_connections: 40, shared_buffers: 16MB, fsync: 'off'}}
  initdb: [{{encoding: UTF8}}]
postgresql:
  listen: '127.0.0.1:{postgres}'
  connect_address: '127.0.0.1:{postgres}'
  bin_dir: {programs}
  data_dir: {folder}/data{number}
  pgpass: {folder}/pgpass{number}
  authentication:
    replication: {{username: repl, password: r}}
    superuser: {{username: admin, password: s}}
  parameters: {{unix_socket_directories: '{folder}', dynamic_shared_memory_type: mmap}}
  pg_hba: ['local all all trust', 'host all all 127.0.0.1/32 trust',
           'host replication repl 127.0.0.1/32 trust']
"""


class Set:
    """Two members and an etcd, as the user nobody; the first begins as primary."""

    def __init__(self, net: Namespace) -> None:
        self.net = net
        self._folder = Path(tempfile.mkdtemp())
        self._folder.chmod(0o755)
        shutil.chown(self._folder, "nobody")
        self._processes: dict[str, subprocess.Popen[Any]] = {}

    def begin(self) -> None:
        """Start all and wait until it is whole."""
        self.start_etcd()
        for number in (0, 1):
            text = _CONFIG.format(
                number=number, rest=REST[number], etcd=ETCD, postgres=POSTGRES[number],
                programs=PROGRAMS[-1], folder=self._folder,
            )  # fmt: skip
            (self._folder / f"n{number}.yml").write_text(text)
            self.start(number)
            path = ("/primary", "/replica")[number]
            until(lambda n=number, p=path: self.rest(n, p) == 200, _SETTLED, path)
        self.sql(0, "create table t(c text)")

    def start_etcd(self) -> None:
        """Start etcd."""
        urls = [f"http://127.0.0.1:{port}" for port in (ETCD, ETCD + 1)]
        words = (
            *("--data-dir", str(self._folder / "etcd"), "--listen-client-urls", urls[0]),
            *("--advertise-client-urls", urls[0], "--listen-peer-urls", urls[1]),
            *("--initial-advertise-peer-urls", urls[1], "--initial-cluster", f"default={urls[1]}"),
        )
        self._start("etcd", *AS_NOBODY, "etcd", *words)

    def start(self, number: int) -> None:
        """Start the Patroni of a member; it starts PostgreSQL."""
        config = self._folder / f"n{number}.yml"
        self._start(f"n{number}", *AS_NOBODY, sys.executable, "-m", "patroni", str(config))

    def rest(self, number: int, path: str, method: str = "GET", body: Any = None) -> int:
        """Return the status that a Patroni answers; 0 for none."""
        return self.net.call(_ask, REST[number], path, method, body)

    def sql(self, number: int, text: str) -> list[Any]:
        """Return what PostgreSQL of a member answers."""
        return self.net.call(_sql, POSTGRES[number], text)

    def leader(self) -> int | None:
        """Return who holds the lock and takes writes."""
        for number in (0, 1):
            with contextlib.suppress(psycopg.Error):
                if self.rest(number, "/primary") == 200:
                    ((recovers,),) = self.sql(number, "select pg_is_in_recovery()")
                    if not recovers:
                        return number
        return None

    def whole(self) -> bool:
        """Return whether there is a primary and a replica."""
        leader = self.leader()
        return leader is not None and self.rest(1 - leader, "/replica") == 200

    def signal_patroni(self, number: int, which: signal.Signals) -> None:
        """Send a signal to a Patroni alone."""
        self._processes[f"n{number}"].send_signal(which)

    def kill_postgres(self, number: int) -> None:
        """Kill PostgreSQL of a member, as a machine would that dies."""
        pid = (self._folder / f"data{number}" / "postmaster.pid").read_text().split()[0]
        os.kill(int(pid), signal.SIGKILL)

    def kill_etcd(self) -> None:
        """Kill etcd."""
        self._processes["etcd"].kill()
        self._processes["etcd"].wait()

    def said(self) -> str:
        """Return the end of all logs."""
        return "\n".join(one.read_text()[-3000:] for one in sorted(self._folder.glob("*.log")))

    def close(self) -> None:
        """End all."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        for number in (0, 1):
            with contextlib.suppress(OSError, IndexError):
                self.kill_postgres(number)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, name: str, *words: str) -> None:
        environ = {
            "PATH": f"{PROGRAMS[-1]}:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self._folder),
            "LC_ALL": "C.UTF-8",
        }
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = self.net.start(
                *words, stdout=log, stderr=log, env=environ, cwd=self._folder
            )


class Rows(Writing):
    """Inserts numbers through `port`, on a kept connection and on one for each; knows when each was
    acknowledged.
    """

    def __init__(self, net: Namespace, port: int) -> None:
        self._port = port
        super().__init__(net)

    def since(self, moment: float) -> list[float]:
        """Return when rows were acknowledged after `moment`."""
        return sorted(one for one in list(self.acknowledged.values()) if one > moment)

    def gap(self, since: float) -> float:
        """Return the longest time after `since` without a row."""
        times = [since, *self.since(since)]
        return max((b - a for a, b in itertools.pairwise(times)), default=0.0)

    def _write(self, prefix: str, each: bool) -> None:
        self._net.enter()
        connection: psycopg.Connection[Any] | None = None
        number = 0
        while self._on:
            number += 1
            try:
                if connection is None:
                    connection = _connect(self._port)
                connection.execute("insert into t values (%s)", (f"{prefix}{number}",))
                self.acknowledged[f"{prefix}{number}"] = time.monotonic()
            except psycopg.Error as error:
                self.readonly += error.sqlstate == "25006"
                self.refused += "refused" in str(error)
                if connection is not None:
                    connection.close()
                connection = None
            if each and connection is not None:
                connection.close()
                connection = None
            time.sleep(0.005)
        if connection is not None:
            connection.close()


def _connect(port: int) -> psycopg.Connection[Any]:
    return psycopg.connect(
        f"host=127.0.0.1 port={port} user=admin dbname=postgres connect_timeout=15", autocommit=True
    )


def _sql(port: int, text: str) -> list[Any]:
    with _connect(port) as connection:
        found = connection.execute(text)
        return found.fetchall() if found.description else []


def _ask(port: int, path: str, method: str, body: Any) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
