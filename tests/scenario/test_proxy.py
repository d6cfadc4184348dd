"""Whose address it was, told by real HAProxy and nginx, and to them."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ
from tests.relay.peers import Peers, is_reset, read_all, read_exactly
from tests.wait import until

CLIENT = "127.0.0.5"  # the address clients come from

HAPROXY = """
global
    maxconn 100
defaults
    timeout connect 5s
    timeout client 60s
    timeout server 60s
"""
NGINX = """
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; master_process off; pid nginx.pid; error_log stderr;
events { worker_connections 64; }
"""
RECEIVE = """
frontend in
    mode http
    bind 127.0.0.1:{port} accept-proxy
    http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port]"
"""
RECEIVE_NGINX = """
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port} proxy_protocol;
        location / {{ return 200 "$proxy_protocol_addr:$proxy_protocol_port"; }}
    }}
}}
"""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Run HAProxy or nginx with a configuration until the test is over; it listens at a port."""
    with ExitStack() as stack:

        def start(program: str, text: str, port: int) -> None:
            config = tmp_path / f"{program}.conf"
            config.write_text(text)
            of_haproxy = ["haproxy", "-db", "-f", str(config)]
            of_nginx = ["nginx", "-p", str(tmp_path), "-e", "stderr", "-c", str(config)]
            command = of_haproxy if program == "haproxy" else of_nginx
            log = stack.enter_context((tmp_path / f"{program}.log").open("wb"))
            process = subprocess.Popen(command, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)
            until(lambda: listens(port), 15.0, f"{program} listens: {config}")

        yield start


@pytest.fixture
def peers() -> Iterator[Peers]:
    peers = Peers()
    yield peers
    peers.close()


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def come(peers: Peers, port: int) -> socket.socket:
    sock = peers.keep(socket.socket())
    sock.bind((CLIENT, 0))
    sock.connect(("127.0.0.1", port))
    return sock


def asked(verb: str, admin: Path) -> dict:
    command = [*COMMAND, verb, "--json", f"--admin={admin}"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=clean_environ(), timeout=30, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("sender", "text"),
    [
        (
            "haproxy",
            "listen l\n    mode tcp\n    bind 127.0.0.1:{at}\n"
            "    server s 127.0.0.1:{to} send-proxy\n",
        ),
        (
            "haproxy",
            "listen l\n    mode tcp\n    bind 127.0.0.1:{at}\n    unique-id-format x-%ci-%cp\n"
            "    server s 127.0.0.1:{to} send-proxy-v2 proxy-v2-options crc32c,unique-id,authority"
            " check inter 200ms\n",
        ),
        (
            "nginx",
            "stream {{ server {{ listen 127.0.0.1:{at}; proxy_protocol on;"
            " proxy_pass 127.0.0.1:{to}; }} }}\n",
        ),
    ],
    ids=["haproxy-v1", "haproxy-v2", "nginx-v1"],
)
def test_what_they_say_is_whose_session_it_is(serve, peers, tmp_path, sender, text):
    at, to, admin = free_port(), free_port(), tmp_path / "admin.sock"
    echo = peers.echo()
    log = tmp_path / "access.log"
    with Program(
        f"ECHO_PORT_{to}_TCP=tcp://127.0.0.1:{echo.port}",
        f"ECHO_PORT_{to}_TCP_LISTEN=127.0.0.1:{to}?proxy=from:127.0.0.1",
        AMBASSADOR_ADMIN=str(admin),
        AMBASSADOR_ACCESS_LOG=str(log),
    ) as program:
        program.started()
        serve(sender, (HAPROXY if sender == "haproxy" else NGINX) + text.format(at=at, to=to), at)
        client = come(peers, at)
        client.sendall(b"PING")
        assert read_exactly(client, 4) == b"PING"
        name = f"{CLIENT}:{client.getsockname()[1]}"
        assert name in [one["client"] for one in asked("sessions", admin)["sessions"]]
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""
        until(lambda: name in log.read_text(), 15.0, "the access log has the client")
        assert program.stop() == 0


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("receiver", ["haproxy", "nginx"])
def test_they_see_whose_address_it_was(serve, peers, tmp_path, receiver, version):
    at, to, admin = free_port(), free_port(), tmp_path / "admin.sock"
    base, more = (HAPROXY, RECEIVE) if receiver == "haproxy" else (NGINX, RECEIVE_NGINX)
    serve(receiver, base + more.format(port=to), to)
    with Program(
        f"WEB_PORT_{at}_TCP=tcp://127.0.0.1:{to}?proxy={version}",
        f"WEB_PORT_{at}_TCP_HEALTH=http:/",
        AMBASSADOR_ADMIN=str(admin),
    ) as program:
        program.started()
        program.wait_for("endpoint_healthy")  # a probe has its header, too
        for _ in range(2):
            client = come(peers, at)
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = read_all(client).decode()
            assert answer.endswith(f"{CLIENT}:{client.getsockname()[1]}"), answer
        other = f"tcp://127.0.0.1:{to}?proxy={'v1' if version == 'v2' else 'v2'}"
        moved = [*COMMAND, "move", "web", other, f"--admin={admin}"]
        subprocess.run(moved, check=True, env=clean_environ(), timeout=60, capture_output=True)
        assert not program.said("endpoint_unhealthy")


def test_through_two_ambassadors_a_chain_keeps_it(serve, peers, tmp_path):
    first, second, to = free_port(), free_port(), free_port()
    serve("haproxy", (HAPROXY + RECEIVE).format(port=to), to)
    with (
        Program(f"A_PORT_{first}_TCP=tcp://127.0.0.1:{second}?proxy=v2") as client_side,
        Program(
            f"B_PORT_{second}_TCP=tcp://127.0.0.1:{to}?proxy=v1",
            f"B_PORT_{second}_TCP_LISTEN=127.0.0.1:{second}?proxy=required",
        ) as server_side,
    ):
        client_side.started()
        server_side.started()
        client = come(peers, first)
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = read_all(client).decode()
        assert answer.endswith(f"{CLIENT}:{client.getsockname()[1]}"), answer


def test_status_log_and_metrics_say_who_was_refused_and_why_the_relay_has_it(peers, tmp_path):
    at, admin = free_port(), tmp_path / "admin.sock"
    echo = peers.echo()
    with Program(
        f"ECHO_PORT_{at}_TCP=tcp://127.0.0.1:{echo.port}",
        f"ECHO_PORT_{at}_TCP_LISTEN=:{at}?proxy=from:192.0.2.0/24",
        AMBASSADOR_ADMIN=str(admin),
        AMBASSADOR_PLANE="auto",
    ) as program:
        program.started()
        assert is_reset(come(peers, at))
        said = program.wait_for("clients_refused")
        assert f"{CLIENT} was refused: it may not send a PROXY header" in said
        (one,) = asked("status", admin)["routes"]
        assert (one["refused"], one["plane"]) == (1, "relay")
        assert "PROXY header" in one["why"]
