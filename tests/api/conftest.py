"""One ambassador that is asked over TCP and forwards meanwhile."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.program import Program, is_ready
from tests.relay.echo import Echo
from tests.wait import until


class Decision:
    """Runs with the API and the monitor on TCP; `forwards` says whether it does its work."""

    def __init__(self, folder: Path) -> None:
        self.admin, self.folder = folder / "admin.sock", folder
        self.token = secrets.token_hex()
        self.listen, self.api, self.monitor = free_port(), free_port(), free_port()
        (folder / "token").write_text(self.token)
        self._listening = socket.create_server(("127.0.0.1", free_port()))
        self._echo = Echo(self._listening)
        self.program = Program(
            # not `redis`, which is what the document has as an example
            f"WEB_PORT_{self.listen}_TCP=tcp://127.0.0.1:{self._echo.port}",
            AMBASSADOR_ADMIN=str(self.admin),
            AMBASSADOR_API=f"127.0.0.1:{self.api}",
            AMBASSADOR_API_TOKEN_FILE=str(folder / "token"),
            AMBASSADOR_METRICS=f"127.0.0.1:{self.monitor}",
            AMBASSADOR_GRACE="0",
        )

    def __enter__(self) -> Decision:
        until(lambda: is_ready(self.admin), 15)
        return self

    def __exit__(self, *_: object) -> None:
        with self._listening, self.program:
            code = self.program.stop()
            self._echo.close()
        assert code == 0
        assert self.program.rest == []  # no traceback
        assert self.program.said("bug") == []
        assert self.token not in str(self.program.events)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def forwards(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.listen), 5) as sock:
            sock.settimeout(5)
            sock.sendall(b"ping")
            return sock.recv(4) == b"ping"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Decision]:
    with Decision(tmp_path_factory.mktemp("api")) as asked:
        yield asked
