"""The two commands that `pair` prints, as they stand, and renewal of what they bind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.program import COMMAND, clean_environ
from tests.wait import until

from .bed import resp
from .bed.engine import Engine
from .bed.images import REDIS
from .conftest import FAR


def pair(folder: Path, *words: str) -> list[str]:
    """Run `pair` in `folder`; return the commands that it prints."""
    done = subprocess.run(
        (*COMMAND, "pair", *words), cwd=folder, env=clean_environ(), text=True, capture_output=True,
        check=True,
    )  # fmt: skip
    return [line for line in done.stdout.splitlines() if line.startswith("docker run")]


def typed(host: Engine, folder: Path, line: str) -> str:
    """Type `line` into a shell on `host`; return what the container is called."""
    done = subprocess.run(
        ("sh", "-c", line), cwd=folder, env={**os.environ, **host.environment}, text=True,
        capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def said(host: Engine, container: str, words: str) -> None:
    def is_said() -> bool:
        done = host.client("logs", container)
        return words in done.stdout + done.stderr

    until(is_said, 30)


def answers(near: Engine, container: str) -> None:
    resp.first_pong(near, near.container_address(container))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return tmp_path


def test_the_printed_commands_make_a_hop_that_is_renewed(
    far: Engine, near: Engine, folder: Path
) -> None:
    serving, consuming = pair(folder, f"big-server={FAR}", "client-server")
    far.docker("run", "-d", "--name", "redis", REDIS)
    server = typed(far, folder, serving)
    typed(near, folder, consuming)
    answers(near, "redis_ambassador")

    assert pair(folder, "--renew") == []
    said(far, server, "was read again")
    said(near, "redis_ambassador", "was read again")
    answers(near, "redis_ambassador")

    # Another file in its place is not seen where the file is bound, and that is told.
    new = folder / "new.pem"
    new.write_bytes((folder / "client-server.pem").read_bytes())
    new.replace(folder / "client-server.pem")
    said(near, "redis_ambassador", "which is bound here by itself")
    answers(near, "redis_ambassador")


def test_a_folder_that_is_bound_takes_a_file_that_is_put_in_the_place_of_another(
    far: Engine, near: Engine, folder: Path
) -> None:
    serving, consuming = pair(folder, f"big-server={FAR}", "client-server")
    far.docker("run", "-d", "--name", "redis", REDIS)
    typed(far, folder, serving)
    bound = folder / "bound"
    bound.mkdir()
    (folder / "client-server.pem").rename(bound / "ambassador.pem")
    file = '"$PWD"/client-server.pem:/run/secrets/ambassador.pem:ro'
    assert file in consuming
    typed(near, folder, consuming.replace(file, '"$PWD"/bound:/run/secrets:ro'))
    answers(near, "redis_ambassador")

    again = folder / "again"
    again.mkdir()
    (folder / "ambassador-authority.pem").rename(again / "ambassador-authority.pem")
    (again / "client-server.pem").write_bytes((bound / "ambassador.pem").read_bytes())
    pair(again, "--renew")
    (again / "client-server.pem").replace(bound / "ambassador.pem")
    said(near, "redis_ambassador", "was read again")
    answers(near, "redis_ambassador")
