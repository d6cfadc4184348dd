"""docs/routes.md says what the program does: its examples are read, its errors are seen."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ambassador.core.merge import merge
from ambassador.core.usual_ports import USUAL_PORTS
from ambassador.model import Pick
from ambassador.sources.env import EnvironmentSource
from ambassador.sources.file import FileSource
from ambassador.spec import OPTIONS
from ambassador.spec.health import PRIMARIES, PROBES, REPLICAS

PAGE = (Path(__file__).parents[2] / "docs" / "routes.md").read_text()
BLOCKS = re.findall(r"(?:^ {4,}.*\n|^\n(?= {4}))+", PAGE, re.M)
ASSIGNMENTS = [
    {name: value for name, _, value in (line.strip().strip("'").partition("=") for line in lines)}
    for lines in (block.strip("\n").splitlines() for block in BLOCKS)
    if all(re.match(r"\s*'?[A-Z_0-9]+=", line) for line in lines)
]
TRANSCRIPTS = re.findall(r"^ {4}\$ (.*)\n((?:^ {4}(?!\$).*\n)+)", PAGE, re.M)


@pytest.mark.parametrize("environ", ASSIGNMENTS, ids=lambda environ: next(iter(environ)))
def test_each_block_of_assignments_makes_routes(environ):
    desired = merge([EnvironmentSource(environ).read()])
    variables = [name for name in environ if re.fullmatch(r".*_PORT_\d+_(TCP|UDP)", name)]
    assert len(desired.routes) == max(len(variables), 1)


def test_the_file_of_the_page_makes_its_routes(tmp_path):
    (block,) = [block for block in BLOCKS if "[route." in block]
    (tmp_path / "ambassador.toml").write_text(re.sub(r"^ {4}", "", block, flags=re.M))
    redis, dns = FileSource(tmp_path / "ambassador.toml").read().routes
    assert (redis.name, redis.connect, len(redis.endpoints)) == ("redis", 2, 2)
    assert (dns.name, dns.proto) == ("dns", "udp")


def test_there_are_examples_of_both_kinds():
    assert len(ASSIGNMENTS) >= 6
    assert len(TRANSCRIPTS) >= 9


@pytest.mark.parametrize(("command", "answer"), TRANSCRIPTS, ids=lambda text: text[:60])
def test_each_error_is_what_the_program_says(command, answer):
    words = shlex.split(command)
    start = words.index("ambassador")
    environ = dict(word.split("=", 1) for word in words[:start])
    finished = subprocess.run(
        [sys.executable, "-m", "ambassador", *words[start + 1 :]],
        env={
            **{key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ},
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert finished.stderr == re.sub(r"^ {4}", "", answer, flags=re.M)


def test_the_page_names_each_option_with_its_default_and_meaning():
    for key, option in OPTIONS.items():
        (row,) = re.findall(rf"^\| `_{key.upper()}` \|.*$", PAGE, re.M)
        assert ", ".join(proto.upper() for proto in option.protos) in row
        assert option.default in row
        assert option.help.split(":")[0].split(";")[0] in row
    assert all(f"`{pick}`" in PAGE for pick in Pick)


@pytest.mark.parametrize("word", [*PROBES, *PRIMARIES, *REPLICAS])
def test_the_page_names_each_probe_and_says_what_it_asks(word):
    (row,) = re.findall(r"^\| `_HEALTH` \|.*$", PAGE, re.M)
    assert f"`{word}`" in row
    rows = re.findall(r"^\| (`[^|]*)\|", PAGE, re.M)
    assert any(re.search(rf"`{word}[`:]", cell) for cell in rows)


def test_the_usual_names_of_the_page_are_usual():
    (names,) = re.findall(r"those aliases do: ([^[]*) and\n", PAGE)
    found = re.findall(r"`(\w+)`", names)
    assert len(found) > 5
    assert set(found) <= set(USUAL_PORTS)
