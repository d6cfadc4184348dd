"""Debian file systems as tar files, made once by debootstrap and kept in the cache.

They stand for images nobody can pull here, and are made like them: `debian:trixie-slim` has no
documentation and no package lists (debuerreotype's slimify), `python:3.13-slim` has its
interpreter in /usr/local/bin and no compiled library.
"""

from __future__ import annotations

import configparser
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .command import run

CACHE = Path(
    os.environ.get("AMBASSADOR_TEST_CACHE") or Path(__file__).resolve().parents[3] / ".cache"
)
SUITE = "trixie"
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
PIP_CONF = Path("/etc/pip.conf")
BED_CA = "/usr/local/share/bed-ca.crt"
NOISE = ("doc", "man", "info", "locale", "lintian", "groff", "linda")

PYTHON = """
apt-get update -q && apt-get install -qy --no-install-recommends python3 python3-venv
for name in python3 python3.13; do ln -s /usr/bin/python3.13 /usr/local/bin/$name; done
find /usr/lib/python3* -name __pycache__ -prune -exec rm -r {} +
"""
REDIS = """
apt-get update -q && apt-get install -qy --no-install-recommends redis-server redis-tools
"""
COMPOSE = """
apt-get update -q && apt-get install -qy --no-install-recommends docker-compose
"""
# The program alone: what it depends on is needed to run containers, and not to read their files.
QUADLET = """
apt-get update -q && cd /tmp && apt-get download -q podman
dpkg-deb --fsys-tarfile podman_*.deb | tar -x -C / ./usr/libexec/podman/quadlet
rm podman_*.deb
"""


@contextmanager
def locked() -> Iterator[None]:
    """Keep every other run away from the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "bed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def kept(name: str, key: str, make: Callable[[Path], object]) -> Path:
    """Return the cached file `name` of `key`; `make` writes it where it is not there yet.

    Older files of the same name are removed.
    """
    path = CACHE / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.tar"
    if not path.exists():
        for old in CACHE.glob(f"{name}-*.tar"):
            old.unlink()
        unfinished = path.with_suffix(".unfinished")
        make(unfinished)
        unfinished.rename(path)
    return path


def debian() -> Path:
    """Return the tar file that stands for `debian:trixie-slim`."""
    return kept("debian", f"{SUITE} {_slim_key()}", _bootstrap)


def python() -> Path:
    """Return the tar file that stands for `python:3.13-slim`."""
    return kept("python", f"{_slim_key()} {PYTHON}", lambda to: _extend(debian(), PYTHON, to))


def redis() -> Path:
    """Return a tar file with Redis and its command line."""
    return kept("redis", f"{_slim_key()} {REDIS}", lambda to: _extend(debian(), REDIS, to))


def compose() -> Path:
    """Return a tar file with Compose 2, which Debian 12 does not have."""
    return kept("compose", f"{_slim_key()} {COMPOSE}", lambda to: _extend(debian(), COMPOSE, to))


def quadlet() -> Path:
    """Return a tar file with Podman's Quadlet, which Debian 12 does not have."""
    return kept("quadlet", f"{_slim_key()} {QUADLET}", lambda to: _extend(debian(), QUADLET, to))


def host(script: str) -> Path:
    """Return the tar file of a Debian host that `script` has made of `debian`."""
    return kept("host", f"{_slim_key()} {script}", lambda to: _extend(debian(), script, to))


def _slim_key() -> str:
    """Return what makes an old file system useless: this recipe, or other certificates."""
    recipe = Path(__file__).read_bytes()
    return hashlib.sha256(recipe + b"".join(f.read_bytes() for f in _machine())).hexdigest()


def _machine() -> list[Path]:
    """Return the files that tell how this machine reaches its package indexes."""
    return [path for path in (CA_BUNDLE, PIP_CONF) if path.exists()]


@contextmanager
def _folder() -> Iterator[Path]:
    # Not under /tmp, which may be mounted nodev: debootstrap makes devices.
    folder = Path(tempfile.mkdtemp(prefix="root-", dir=CACHE))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _bootstrap(tar: Path) -> None:
    with _folder() as root:
        run(["debootstrap", "--variant=minbase", SUITE, str(root)], within=600)
        excluded = "".join(f"path-exclude /usr/share/{name}/*\n" for name in NOISE)
        (root / "etc/dpkg/dpkg.cfg.d/docker").write_text(excluded)
        for name in NOISE:
            shutil.rmtree(root / "usr/share" / name, ignore_errors=True)
        _reach_indexes(root)
        _pack(root, tar)


def _reach_indexes(root: Path) -> None:
    """Let pip in the image reach what it reaches on this machine."""
    if not PIP_CONF.exists():
        return
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(PIP_CONF)
    for section in settings.sections():
        if "cert" in settings[section] and CA_BUNDLE.exists():
            shutil.copy(CA_BUNDLE, root / BED_CA.lstrip("/"))
            settings[section]["cert"] = BED_CA
    with (root / "etc/pip.conf").open("w") as file:
        settings.write(file)


def _extend(base: Path, script: str, tar: Path) -> None:
    """Run `script` in the file system `base` and pack what it made of it."""
    with _folder() as root:
        run(["tar", "-xf", str(base), "-C", str(root)])
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        environment = {"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin"}
        # A mount namespace of its own: nothing stays mounted, whatever the script does.
        inside = 'mount -t proc proc "$1/proc"; exec chroot "$1" sh -eu -c "$2"'
        isolated = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        run(
            [*isolated, "sh", "-eu", "-c", inside, "sh", str(root), script],
            within=600,
            env=environment,
        )
        _pack(root, tar)


def _pack(root: Path, tar: Path) -> None:
    for name in ("var/cache/apt", "var/lib/apt/lists", "var/log/apt"):
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir()
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    run(["tar", "-C", str(root), "-cf", str(tar), "."], within=120)
