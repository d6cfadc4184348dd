"""Each step of docs/trips.md is a file and a function that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "ambassador"
TEXT = (ROOT / "docs" / "trips.md").read_text()
STEPS = re.findall(r"`([a-z_/]+\.py)`\s+`([A-Za-z_.]+)`", TEXT)


def defined(path: Path) -> set[str]:
    """Return the functions, classes, methods and constants of a module, by their names in it."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            functions = (ast.FunctionDef, ast.AsyncFunctionDef)
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, functions)}
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {one.id for one in targets if isinstance(one, ast.Name)}
    return found


@pytest.mark.parametrize(("file", "name"), STEPS, ids=lambda part: part)
def test_a_step_names_what_is_there(file, name):
    assert name in defined(PACKAGE / file)


def test_there_are_four_trips_and_no_step_is_passed_over():
    trips = re.split(r"^## ", TEXT, flags=re.M)[1:]
    assert len(trips) == 4
    for trip in trips:
        steps = re.findall(r"^\d+\. .*?(?=^\d+\. |\Z)", trip, re.M | re.S)
        assert len(steps) >= 5
        assert len(re.findall(r"`[a-z_/]+\.py`\s+`[A-Za-z_.]+`", trip)) >= len(steps) - 1


def test_every_file_that_is_named_is_there():
    named = re.findall(r"`([a-z_/]+\.py)`", TEXT)
    assert [name for name in named if not (PACKAGE / name).exists()] == []
