"""What is in the image, how large it is, how fast it starts, how little it needs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pytest

from .bed import resp
from .bed.engine import Engine
from .bed.images import AMBASSADOR, AMBASSADOR_PYTHON, REDIS

BOTH = pytest.mark.parametrize("image", [AMBASSADOR, AMBASSADOR_PYTHON])
ABSENT = """
for tool in gcc cc g++ make ld pip pip3; do
  if command -v $tool; then echo "$tool is there"; fi
done
python3 -c 'import importlib.util as i; print(*filter(i.find_spec, ["pip", "ensurepip"]))'
find / -xdev \\( -path '*/.cache/pip' -o -path '/var/lib/apt/lists/?*' -o -name '*.deb' \\) 2>&1
"""


@BOTH
def test_there_is_no_compiler_no_pip_and_no_cache(near: Engine, image: str) -> None:
    argv = ("run", "--rm", "--user", "0", "--entrypoint", "sh", image, "-c", ABSENT)
    assert near.docker(*argv) == ""


@BOTH
def test_the_image_says_what_it_is_and_runs_as_a_number_that_is_not_root(
    near: Engine, image: str
) -> None:
    config = near.inspect(image)["Config"]
    assert (config["Entrypoint"][0], config["Entrypoint"][-1]) == ("env", "ambassador")
    assert config["Cmd"] == ["run"]
    assert config["Healthcheck"]["Test"] == ["CMD", "ambassador", "healthcheck"]
    user, _, group = config["User"].partition(":")
    assert int(user) > 0 < int(group)
    labels = {key.removeprefix("org.opencontainers.image.") for key in config["Labels"]}
    assert {"title", "description", "licenses"} <= labels


@BOTH
def test_all_its_python_is_compiled(near: Engine, image: str) -> None:
    script = """
import ambassador, asyncio, pathlib, sys
tops = {pathlib.Path(m.__file__).parent for m in (ambassador, asyncio)}
print(*(p for top in tops for p in top.rglob("*.py")
        if not pathlib.Path(__import__("importlib.util").util.cache_from_source(p)).exists()))
"""
    argv = ("run", "--rm", "--entrypoint", "/opt/ambassador/bin/python3", image, "-c", script)
    assert near.docker(*argv) == ""


@BOTH
def test_it_adds_less_than_80_megabytes(
    near: Engine, image: str, figure: Callable[[str], None]
) -> None:
    layers = near.docker("history", "--human=false", "--format", "{{.Size}}", image).split()
    size, added = sum(map(int, layers)), sum(map(int, layers[:-1]))
    figure(f"image {image}: {size / 1e6:.0f} MB, of which {added / 1e6:.0f} MB are not its base")
    assert added < 80e6  # 74 with cryptography, by which `pair` makes certificates


@pytest.mark.alone
def test_the_first_pong_comes_within_half_a_second_more_than_true_takes(
    near: Engine, figure: Callable[[str], None]
) -> None:
    near.docker("run", "-d", "--name", "redis", REDIS)
    trues, pongs = [], []
    for _ in range(5):
        began = time.monotonic()
        near.docker("run", "--name", "true", "--entrypoint", "true", AMBASSADOR)
        trues.append(time.monotonic() - began)

        began = time.monotonic()
        near.docker(
            *("run", "-d", "--name", "ambassador", "-p", "6379:6379", "--read-only"),
            *("--link", "redis:redis", AMBASSADOR),
        )
        pongs.append(resp.first_pong(near, str(near.address)) - began)
        near.docker("rm", "-f", "true", "ambassador")
    pong, true = statistics.median(pongs), statistics.median(trues)
    figure(f"docker run to first PONG: {pong:.2f} s; docker run of true: {true:.2f} s")
    # the best of several: what comes between is not ours; on a slow machine `true` is slow, too
    assert min(pongs) - min(trues) < max(0.5, min(trues))


def test_an_idle_one_needs_less_than_48_megabytes(
    near: Engine, figure: Callable[[str], None]
) -> None:
    near.docker("run", "-d", "--name", "redis", REDIS)
    near.docker("run", "-d", "--name", "ambassador", "--link", "redis:redis", AMBASSADOR)
    resp.first_pong(near, near.container_address("ambassador"))
    rows = near.docker("top", "ambassador", "-eo", "pid,rss,args").splitlines()[1:]
    kilobytes = sum(int(row.split()[1]) for row in rows)
    figure(f"resident memory when idle: {kilobytes * 1024 / 1e6:.1f} MB")
    assert kilobytes * 1024 < 48e6
