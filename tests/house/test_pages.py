"""The pages for people: what they show is understood by the program."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from ambassador.cli.verbs import VERBS
from tests.program import COMMAND, clean_environ
from tests.recipes import lines as recipe

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("coming-from", "moving")
LINES = [
    line.strip().split("  #")[0].rstrip()
    for page in PAGES
    for line in (DOCS / f"{page}.md").read_text().splitlines()
    if re.match(r" {4,}ambassador ", line)
]
# What the recipes run where the ambassador is: in a container, a task, a pod, or installed.
INSIDE = [
    found.group(1)
    for section in ("Compose", "Podman and Quadlet", "Swarm", "Kubernetes", "systemd")
    for line in recipe(section)
    if (found := re.search(r"(?:exec .*|/bin/)(?<![\w.])(ambassador [a-z].*)", line))
]
LINES += INSIDE
ASSIGNMENTS = [
    found
    for found in re.findall(r"`([A-Z]+_PORT_\d+_\w+=[^`]+)`", (DOCS / "coming-from.md").read_text())
    if "..." not in found
]


def check(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "check", *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
        env=clean_environ(),
    )


def test_there_are_lines_to_read():
    assert len(LINES) > 10
    assert len(INSIDE) > 6
    assert len(ASSIGNMENTS) > 5


@pytest.mark.parametrize("line", sorted(set(LINES)))
def test_each_line_is_one_that_the_program_takes(line):
    _, *words = shlex.split(line)
    if words[0] == "run" or words[0] not in VERBS:  # no verb: run is meant
        done = check(*(words[1:] if words[0] == "run" else words))
        if "docker://" in line and "no such socket" in done.stderr:
            return  # understood, and asked of an engine that is not here
        assert done.returncode == 0, done.stderr
        return
    known = subprocess.run(
        [*COMMAND, words[0], "--help"], check=True, capture_output=True, text=True, timeout=50
    ).stdout
    flags = [word.split("=")[0] for word in words[1:] if word.startswith("--")]
    assert [flag for flag in flags if flag not in known] == []
    # It reaches the point where an ambassador is asked: nothing about it is wrong.
    done = subprocess.run(
        [*COMMAND, *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
        env=clean_environ(AMBASSADOR_ADMIN="/nowhere/admin.sock"),
    )
    assert done.returncode == 7, done.stderr


@pytest.mark.parametrize("assignment", sorted(set(ASSIGNMENTS)))
def test_each_assignment_is_taken_beside_its_route(assignment):
    name = re.match(r"[A-Z]+_PORT_\d+_(?:TCP|UDP)", assignment).group()
    scheme = name[-3:].lower()
    route = [] if assignment.startswith(f"{name}=") else [f"{name}={scheme}://10.0.0.1:5432"]
    done = check(*route, assignment)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", ["redis-host", "consumer-host"])
def test_the_recipe_has_the_lines_that_the_compose_file_has(file):
    """The tests of tests/docker run the files so."""
    text = (DOCS.parent / "deploy" / "compose" / f"{file}.yaml").read_text()
    commands = [line.strip("# ") for line in text.splitlines() if "docker compose" in line]
    assert commands
    assert set(commands) <= set(recipe("Compose"))
