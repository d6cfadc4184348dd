"""docs/troubleshooting.md has every event of the log, and none that there is not."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()


def events() -> set[str]:
    """Return the name of every event that the code logs: the second argument of log.event."""
    found: set[str] = set()
    for path in sorted((ROOT / "src").rglob("*.py")):
        tree = ast.parse(path.read_text())
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call) or ast.unparse(call.func) != "log.event":
                continue
            found.update(names(call.args[1], tree))
    return found


def names(node: ast.expr, tree: ast.AST) -> Iterator[str]:
    match node:
        case ast.Constant(str(text)):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from (*names(one, tree), *names(other, tree))
        case ast.Subscript(value=ast.Dict(values=values)):
            for value in values:
                yield from names(value, tree)
        case ast.JoinedStr(values=[ast.Constant(str(begin)), _]) if begin == "endpoint_":
            yield from ("endpoint_healthy", "endpoint_unhealthy", "endpoint_unknown")
        case ast.JoinedStr(values=[ast.Constant(str(begin)), _]) if begin == "address_":
            yield from ("address_healthy", "address_unhealthy")
        case ast.Name(id=name):
            yield from assigned(name, tree)
        case _:
            raise AssertionError(
                f"a name of an event that this test does not read: {ast.unparse(node)}"
            )


def assigned(name: str, tree: ast.AST) -> Iterator[str]:
    """What a variable may hold: what is assigned to it, or passed as the parameter of that name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and name in {ast.unparse(one) for one in node.targets}:
            yield from names(node.value, tree)
        if isinstance(node, ast.FunctionDef):
            parameters = [one.arg for one in node.args.args if one.arg != "self"]
            if name in parameters:
                yield from passed(node.name, parameters.index(name), tree)


def passed(function: str, place: int, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith(function)
            and len(node.args) > place
            and isinstance(node.args[place], ast.Constant)
        ):
            yield from names(node.args[place], tree)


def described() -> set[str]:
    rows = [line.split("|") for line in PAGE.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row[1])}


def test_every_event_of_the_log_has_its_remedy_and_no_other():
    assert events() - described() == set()
    assert described() - events() == set()


def test_every_row_says_what_helps():
    for line in PAGE.splitlines():
        if line.startswith("| `"):
            assert all(cell.strip() for cell in line.split("|")[1:-1]), line
