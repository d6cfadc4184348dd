"""Images from this checkout and from `root`, made once, kept as tar files, loaded anywhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

from . import root
from .engine import Engine, engine

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
RUN_REDIS = 'CMD ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]'
RUN_CLI = 'exec redis-cli -h "$REDIS_PORT_6379_TCP_ADDR" -p "$REDIS_PORT_6379_TCP_PORT"'


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


def load(engine: Engine, *tags: str) -> None:
    """Give `engine` Redis and the images of `tags`, made first where the cache lacks them."""
    with root.locked():
        cli = f'ENTRYPOINT ["sh", "-c", {_quoted(RUN_CLI)}]'
        redis = str(root.redis())
        engine.docker(
            "import", "--change", "EXPOSE 6379", "--change", RUN_REDIS, redis, REDIS, within=120
        )
        engine.docker("import", "--change", cli, redis, REDIS_CLI, within=120)
        for tag in tags:
            engine.docker("load", "--input", str(ambassador(tag)), within=120)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


def _sources() -> str:
    """Return a hash of every file the image is built from."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for name in SOURCES:
        top = CHECKOUT / name
        for path in sorted(top.rglob("*.py")) if top.is_dir() else [top]:
            digest.update(f"{path.relative_to(CHECKOUT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()
