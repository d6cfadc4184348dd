"""What a plain start imports: people start containers, and most never need the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.ports import free_port
from tests.program import unmeasured

# Runs the program in this process; a thread is its client, then its operator, and says at each
# stage what has been imported.
_PROGRAM = """
import json, os, socket, sys, threading, time
from pathlib import Path

admin, port, upstream = Path(sys.argv.pop(1)), int(sys.argv.pop(1)), int(sys.argv.pop(1))

def client():
    service = socket.create_server(("127.0.0.1", upstream))
    while True:
        try:
            sock = socket.create_connection(("127.0.0.1", port))
            break
        except OSError:
            time.sleep(0.02)
    service.accept()[0].sendall(b"x")
    assert sock.recv(1) == b"x"

def ask(path):
    with socket.socket(socket.AF_UNIX) as sock:
        while True:
            try:
                sock.connect(str(admin))
                break
            except OSError:
                time.sleep(0.02)
        sock.sendall(f"GET {path} HTTP/1.0\\r\\n\\r\\n".encode())
        answer = b""
        while data := sock.recv(65536):
            answer += data
    assert b" 200 " in answer.splitlines()[0], answer

def operate():
    try:
        client()
        stages = [sorted(sys.modules)]
        for path in ("/readyz", "/v1/status"):
            ask(path)
            stages.append(sorted(sys.modules))
        print(json.dumps(stages), flush=True)
    finally:
        os._exit(0)

threading.Thread(target=operate).start()
from ambassador.cli import main
main()
"""

# Rooms and modules that a start does without: what is asked for, configured, or rare brings them.
_WITHOUT = (
    "ambassador.admin.client", "ambassador.admin.connection", "ambassador.admin.web",
    "ambassador.control.execute", "ambassador.control.moves", "ambassador.control.showing",
    "ambassador.control.views", "ambassador.core.commands", "ambassador.core.containers",
    "ambassador.core.examples", "ambassador.core.fleet", "ambassador.core.follow",
    "ambassador.core.history", "ambassador.core.moving", "ambassador.core.proxy",
    "ambassador.core.results", "ambassador.core.undoing", "ambassador.demo", "ambassador.engine",
    "ambassador.fleet", "ambassador.follow", "ambassador.handover.successor",
    "ambassador.planes.relay.greeting", "ambassador.planes.relay.handshake",
    "ambassador.planes.relay.incoming", "ambassador.planes.relay.outgoing",
    "ambassador.planes.relay.udp", "ambassador.planes.relay.worker",
    "ambassador.planes.relay.worker_messages", "ambassador.planes.relay.worker_protocol",
    "ambassador.probes.check", "ambassador.probes.checks", "ambassador.probes.exchange",
    "ambassador.sources.file", "ambassador.store", "ambassador.telemetry.prometheus",
    "ambassador.tls.bundle", "ambassador.tls.stream",
)  # fmt: skip
_OF_THE_KERNEL = ("ambassador.planes.kernel.plane", "ambassador.planes.kernel.nft")
# Of other people's: what answers HTTP, and what only errors or rare options need.
_FOREIGN = (
    "anyio", "cryptography", "decimal", "difflib", "email", "h11", "hashlib", "html", "http",
    "logging.config", "multiprocessing", "starlette", "typing_extensions", "urllib.request",
    "uvicorn",
)  # fmt: skip
# Of what Starlette imports and does not use for us; they are 2 MB.
_NEVER = (
    "anyio", "email.parser", "hashlib", "html", "http.client", "http.cookies", "logging.config",
    "secrets", "starlette.formparsers", "tempfile", "typing_extensions",
)  # fmt: skip
# A start may have this many modules of our own; a new one is a file of its own that it needs.
_MOST = {"relay": 234, "auto": 285}


def imports(tmp_path, plane: str) -> list[set[str]]:
    """Return what is imported after the first session, after a healthcheck, after `status`."""
    port, upstream = free_port(), free_port()
    admin = tmp_path / "admin.sock"
    done = subprocess.run(
        [
            *(sys.executable, "-c", _PROGRAM, str(admin), str(port), str(upstream)),
            # With workers, a first client brings what it takes to start one.
            *("run", "--plane", plane, "--admin", str(admin), "--workers", "0"),
            f"REDIS_PORT_{port}_TCP=tcp://127.0.0.1:{upstream}",
        ],
        env=unmeasured(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [set(stage) for stage in json.loads(done.stdout)]


def within(modules: set[str], names: tuple[str, ...]) -> list[str]:
    """Return those of `modules` that are one of `names`, or inside of one."""
    return sorted(m for m in modules for n in names if m == n or m.startswith(f"{n}."))


@pytest.mark.parametrize("plane", ["relay", "auto"])
def test_a_start_and_its_first_session_import_only_what_they_need(tmp_path, plane):
    started, healthy, asked = imports(tmp_path, plane)
    kernel = _OF_THE_KERNEL if plane == "relay" else ()
    assert within(started, (*_WITHOUT, *_FOREIGN, *kernel)) == []
    ours = {name for name in started if name.startswith("ambassador.")}
    assert len(ours) <= _MOST[plane]
    # a healthcheck brings HTTP, and nothing of the API
    more = tuple(one for one in _WITHOUT if one != "ambassador.admin.connection")
    assert within(healthy, (*more, "starlette")) == []
    assert "h11" in healthy
    assert "starlette" in asked
    assert within(asked, (*_NEVER, "ambassador.follow", "ambassador.fleet")) == []
