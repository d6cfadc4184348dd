"""nginx with its stream module."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.errors import Missing
from bench.peers.peer import Forward, Limits, Peer, on_path

__all__ = ["PEER", "configuration"]

_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


def configuration(forwards: Sequence[Forward], folder: Path, limits: Limits) -> str:
    """Return nginx.conf, the reason behind each setting."""
    parts = [
        f"""\
load_module {_MODULE};    # Debian ships stream as a module
user root;    # it need not change its user, which a user namespace would not allow
daemon off;    # so that it can be ended with the run
pid {folder}/nginx.pid;
error_log stderr error;
worker_processes {limits.workers};    # one for each core
worker_rlimit_nofile {limits.descriptors};
events {{
    worker_connections {limits.descriptors - 1000};    # the limit of open files is what bounds it
}}
stream {{
    tcp_nodelay on;    # the default, said here: a small answer is sent at once
    proxy_timeout 1h;    # an idle session is not to be closed while it is measured
    proxy_connect_timeout 10s;
"""
    ]
    parts += [
        f"""\
    server {{    # reuseport: a queue for each worker; backlog: 50 clients come at once
        listen {forward.listen[0]}:{forward.listen[1]} reuseport backlog=4096;
        proxy_pass {forward.endpoint[0]}:{forward.endpoint[1]};
    }}
"""
        for forward in forwards
    ]
    return "".join([*parts, "}\n"])


def find() -> str:
    """Return the program's path; raise Missing when it or its module is not there."""
    program = on_path(shutil.which, "nginx", "nginx libnginx-mod-stream")
    if not _MODULE.exists():
        raise Missing(f"no {_MODULE}: apt-get install libnginx-mod-stream")
    return program


def files(forwards: Sequence[Forward], folder: Path, limits: Limits) -> Mapping[str, str]:
    """Return the one file it reads."""
    return {"nginx.conf": configuration(forwards, folder, limits)}


def commands(
    program: str, _forwards: Sequence[Forward], folder: Path, _limits: Limits
) -> list[list[str]]:
    """Return one command; -e keeps it from opening /var/log before it has read the file."""
    return [[program, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]]


PEER = Peer(
    name="nginx",
    label="nginx",
    why="The web proxy that many already have; its stream module forwards TCP.",
    find=find,
    version=lambda program: (program, "-v"),
    commands=commands,
    files=files,
)
