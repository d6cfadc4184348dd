"""Images from this checkout and from `root`, made once, kept as tar files, loaded anywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import root
from .dockerd import engine
from .engine import Engine

CHECKOUT = Path(__file__).resolve().parents[3]
SOURCES = ("Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE", "src")

AMBASSADOR = "ambassador"
AMBASSADOR_PYTHON = "ambassador:python"
REDIS = "redis"
REDIS_CLI = "redis-cli"

BASES = {
    AMBASSADOR: ("debian:trixie-slim", root.debian),
    AMBASSADOR_PYTHON: ("python:3.13-slim", root.python),
}

# What the images of Docker's page do: the page's client connects by its link's variables.
RUN_REDIS = '["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]'
RUN_CLI = json.dumps(
    ["sh", "-c", 'exec redis-cli -h "$REDIS_PORT_6379_TCP_ADDR" -p "$REDIS_PORT_6379_TCP_PORT"']
)


def ambassador(tag: str = AMBASSADOR) -> Path:
    """Return `docker save` of the image this checkout builds; `tag` says on which base."""
    base, tar = BASES[tag]

    def build(to: Path) -> None:
        with engine("build") as builder:
            builder.docker("import", str(tar()), base, within=120)
            arguments = ["--build-arg", f"BASE={base}", "--network", "host", "--tag", tag]
            builder.docker("build", *arguments, str(CHECKOUT), within=600)
            builder.docker("save", "--output", str(to), tag, within=120)

    return root.kept(f"image-on-{base.partition(':')[0]}", f"{_sources()} {tar()}", build)


def load(engines: Sequence[Engine]) -> None:
    """Give each engine every image, made first where the cache lacks it."""
    with root.locked(), ThreadPoolExecutor() as threads:
        redis, _ = root.redis(), [tar() for _, tar in BASES.values()]
        built = list(threads.map(ambassador, BASES))

    def fill(engine: Engine) -> None:
        import_redis(engine, redis)
        for tar in built:
            engine.docker("load", "--input", str(tar), within=120)

    with ThreadPoolExecutor() as threads:  # an engine unpacks on one core
        list(threads.map(fill, engines))


def import_redis(engine: Engine, tar: Path) -> None:
    """Make Redis and its command line two images of one layer."""
    command, cli = ("--change", f"CMD {RUN_REDIS}"), ("--change", f"ENTRYPOINT {RUN_CLI}")
    engine.docker("import", "--change", "EXPOSE 6379", *command, str(tar), REDIS, within=120)
    engine.docker("create", "--name", "cli", REDIS)
    # On a dumb terminal redis-cli edits no line, so it does not ask where the cursor is.
    engine.docker(
        "commit", *cli, "--change", "ENV TERM=dumb", "--change", "CMD []", "cli", REDIS_CLI
    )
    engine.docker("rm", "cli")


def _sources() -> str:
    """Return a hash of every file the image is built from."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for name in SOURCES:
        top = CHECKOUT / name
        files = (path for path in top.rglob("*") if path.is_file()) if top.is_dir() else [top]
        for path in sorted(path for path in files if path.suffix != ".pyc"):
            digest.update(f"{path.relative_to(CHECKOUT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()
