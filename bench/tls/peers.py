"""The kinds of go-betweens, and what each is told: both prove who they are, TLS 1.3 alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import Missing
from bench.peers import ambassador
from bench.peers.peer import on_path

__all__ = ["FORGETFUL", "PEERS", "ROUTES", "HopPeer", "Route"]


@dataclass(frozen=True, slots=True)
class Route:
    """Clients connect to `front`, the hop is at `middle`, the service at `service`."""

    name: str
    front: int
    middle: int
    service: int


ROUTES = (Route("redis", 7000, 7100, 6379), Route("iperf", 7001, 7101, 5201))


@dataclass(frozen=True, slots=True)
class HopPeer:
    """`near` and `far` return the command of either side, with files in the folder given: there
    are client.pem and server.pem (certificate, key, authority), and authority.pem. Without
    `resumes` each connection has a handshake of its own.
    """

    label: str
    find: Callable[[], str]
    near: Callable[[str, Path, bool], Sequence[str]]
    far: Callable[[str, Path, bool], Sequence[str]]


_HAPROXY = """\
global
    nbthread 2
    maxconn 9000
    ssl-default-bind-options ssl-min-ver TLSv1.3
    ssl-default-server-options ssl-min-ver TLSv1.3
defaults
    mode tcp
    timeout connect 10s
    timeout client 1h
    timeout server 1h
"""


def _haproxy_near(program: str, folder: Path, resumes: bool) -> Sequence[str]:
    text = _HAPROXY
    for one in ROUTES:
        text += f"listen {one.name}\n    bind 127.0.0.1:{one.front} backlog 4096\n"
        text += f"    server s 127.0.0.1:{one.middle} ssl verify required"
        text += f" ca-file {folder}/authority.pem crt {folder}/client.pem"
        text += "" if resumes else " no-ssl-reuse"
        text += "\n"
    path = folder / "near.cfg"
    path.write_text(text)
    return [program, "-db", "-f", str(path)]


def _haproxy_far(program: str, folder: Path, resumes: bool) -> Sequence[str]:
    text = _HAPROXY
    for one in ROUTES:
        text += f"listen {one.name}\n    bind 127.0.0.1:{one.middle} backlog 4096 ssl"
        text += f" crt {folder}/server.pem ca-file {folder}/authority.pem verify required"
        text += "" if resumes else " no-tls-tickets"
        text += f"\n    server s 127.0.0.1:{one.service}\n"
    path = folder / "far.cfg"
    path.write_text(text)
    return [program, "-db", "-f", str(path)]


def _stunnel(program: str, folder: Path, resumes: bool, *, near: bool) -> Sequence[str]:
    name, identity = ("near", "client") if near else ("far", "server")
    text = "foreground = quiet\npid =\nsslVersion = TLSv1.3\n"
    text += "socket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n"
    for one in ROUTES:
        accept, connect = (one.front, one.middle) if near else (one.middle, one.service)
        text += f"[{one.name}]\nclient = {'yes' if near else 'no'}\n"
        text += f"accept = 127.0.0.1:{accept}\nconnect = 127.0.0.1:{connect}\n"
        text += f"cert = {folder}/{identity}.pem\nCAfile = {folder}/authority.pem\n"
        text += f"verifyChain = yes\nsessionResume = {'yes' if resumes else 'no'}\n"
    path = folder / f"{name}.conf"
    path.write_text(text)
    return [program, str(path)]


# Ours has no switch for it. Neither makes a ticket nor takes one, as of the others none does then.
FORGETFUL = """\
from ambassador.tls import contexts
from ambassador.tls.stream import TlsSocket
assert TlsSocket.learn
begun = contexts.for_clients

def for_clients(*words):
    context = begun(*words)
    context.num_tickets = 0
    return context

def learn(sock):
    sock.remember = None
    return True

contexts.for_clients, TlsSocket.learn = for_clients, learn
"""


def _ours(program: str, folder: Path, resumes: bool, *, near: bool) -> Sequence[str]:
    name, identity = ("near", "client") if near else ("far", "server")
    words = ["env", f"AMBASSADOR_IDENTITY={folder}/{identity}.pem"]
    if not resumes:
        (folder / "sitecustomize.py").write_text(FORGETFUL)
        words.append(f"PYTHONPATH={folder}")
    words += [program, "run", "--plane", "relay", "--admin", str(folder / f"{name}.sock")]
    for one in ROUTES:
        port, way = (one.front, f"tls://127.0.0.1:{one.middle}"), "127.0.0.1"
        if not near:
            port, way = (one.middle, f"tcp://127.0.0.1:{one.service}"), "tls://127.0.0.1"
        variable = f"{one.name.upper()}_PORT_{port[0]}_TCP"
        words += [f"{variable}={port[1]}", f"{variable}_LISTEN={way}:{port[0]}"]
    return words


def _stunnel_program() -> str:
    for name in ("stunnel4", "stunnel"):
        if found := shutil.which(name):
            return found
    raise Missing("stunnel is not installed: apt-get install stunnel4")


PEERS = (
    HopPeer(
        "HAProxy",
        lambda: on_path(shutil.which, "haproxy", "haproxy"),
        _haproxy_near,
        _haproxy_far,
    ),
    HopPeer(
        "stunnel",
        _stunnel_program,
        lambda program, folder, resumes: _stunnel(program, folder, resumes, near=True),
        lambda program, folder, resumes: _stunnel(program, folder, resumes, near=False),
    ),
    HopPeer(
        "ambassador",
        ambassador.find,
        lambda program, folder, resumes: _ours(program, folder, resumes, near=True),
        lambda program, folder, resumes: _ours(program, folder, resumes, near=False),
    ),
)
