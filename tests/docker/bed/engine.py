"""What is asked of one engine: docker's commands, its API, and its host's network."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .command import run, until


@dataclass(frozen=True)
class Engine:
    """A running engine: its folder, its first process, the address its host has, if any."""

    folder: Path
    pid: int
    address: str | None

    def docker(self, *args: str, within: float = 60, ok: Sequence[int] | None = (0,)) -> str:
        """Run one docker command; return its standard output without the last newline."""
        return self.client(*args, within=within, ok=ok).stdout.strip()

    def client(
        self, *args: str, within: float = 60, ok: Sequence[int] | None = (0,)
    ) -> subprocess.CompletedProcess[str]:
        """Run one docker command; return its exit code and both outputs."""
        return run(["docker", *args], within=within, env=self.environment, ok=ok)

    def post(self, path: str) -> bool:
        """Send one request to the engine's API, far sooner than a command can; say if it did it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f"{self.folder}/docker.sock")
            connection.sendall(
                f"POST {path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n".encode()
            )
            return b" 204 " in connection.makefile("rb").readline()

    @property
    def environment(self) -> dict[str, str]:
        """What a docker or docker-compose command needs to reach this engine."""
        return {
            "DOCKER_HOST": f"unix://{self.folder}/docker.sock",
            "DOCKER_CONFIG": f"{self.folder}/client",
            "DOCKER_BUILDKIT": "0",  # Debian's docker.io has no buildx
        }

    def inside(self, *argv: str) -> list[str]:
        """Return `argv` as a command run in the network of this host."""
        return ["nsenter", "-t", str(self.pid), "--net", *argv]

    def inspect(self, name: str) -> dict[str, Any]:
        """Return everything the engine knows of one container or image."""
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", name))
        return found[0]

    def container_address(self, name: str) -> str:
        """Return the address of a container on the engine's default network."""
        return str(self.inspect(name)["NetworkSettings"]["IPAddress"])

    def logs(self, name: str) -> str:
        """Return both outputs of a container so far, or why there are none."""
        done = self.client("logs", name, ok=None)
        return done.stdout + done.stderr

    def running(self, name: str) -> bool:
        """Say whether a container runs now."""
        return bool(self.inspect(name)["State"]["Running"])

    def exit_code(self, name: str, *, within: float = 15) -> int:
        """Wait for a container's end and return its exit code."""
        return int(self.docker("wait", name, within=within))

    def all_logs(self) -> str:
        """Return what every container here has said, for a test that failed."""
        names = self.docker("ps", "-a", "--format", "{{.Names}}").split()
        return "".join(f"--- {name}\n{self.logs(name)[-3000:]}\n" for name in names)

    def sweep(self) -> None:
        """Remove every container and every network and volume that was added."""

        def empty() -> bool:
            names = self.docker("ps", "-aq").split()
            if names:
                # One that was started with --rm may be going away by itself at this moment.
                self.docker("rm", "-fv", *names, ok=None)
            return not names

        until(empty, "no container is left")
        self.docker("network", "prune", "-f")
        self.docker("volume", "prune", "-f")
