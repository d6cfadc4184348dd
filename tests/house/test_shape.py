"""The shape of src/: a test file for each module, sizes, words, and what is public."""

import ast
import re
from pathlib import Path

import ambassador

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "ambassador"
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# Modules without a test file of their own, each with the reason. It only ever gets shorter.
UNTESTED: dict[str, str] = {
    "__main__": "one call; the tests of the command line start it",
    "errors": "exceptions and one text form, seen by every test of bad input",
    "model": "frozen fields, seen by everything",
    "ports": "contracts without code",
}
# Files above 400 lines, each with the reason.
LARGE: dict[str, str] = {
    "app": "every concrete part, and the order of start, upgrade and stop, to be read in one place",
    "planes.kernel.plane": "the contract of a plane and, beside it, of a handover",
    "planes.relay.udp": "all that happens to a datagram, in one place to be read in order",
}
# Not used as nouns: each has a better word in docs/architecture.md.
BANNED = {
    *("backend", "backends", "server", "servers", "service", "services", "target", "targets"),
    *("pool", "cluster", "manager", "handler", "helper", "helpers", "util", "utils"),
}
# Names with such a word all the same, each with the reason.
ACCEPTED: dict[str, str] = {
    "admin.server": "the HTTP server of the admin socket, beside admin.client",
    "admin.server.AdminServer": "the same",
    "admin.door.Server": "the protocol's name of what uvicorn gives",
    "resolve.dns.NameServers": "resolv.conf(5) calls them so",
}


def has_code(path: Path) -> bool:
    """Return whether a file does more than import, document and export."""
    plain = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign)
    return not all(isinstance(node, plain) for node in ast.parse(path.read_text()).body)


def test_files_of(module: str) -> list[Path]:
    """Return the test files of `module`: planes.relay.pipe has test_pipe or test_relay_pipe."""
    parts = [part for part in module.split(".") if part != "__init__"] or ["package"]
    names = ["_".join(parts[start:]) for start in range(len(parts))]
    return [path for name in names for path in (ROOT / "tests").rglob(f"test_{name}*.py")]


test_files_of.__test__ = False  # type: ignore[attr-defined]


def test_each_module_has_a_test_file():
    tested = {name for name, path in MODULES.items() if not has_code(path) or test_files_of(name)}
    assert sorted(set(MODULES) - tested - set(UNTESTED)) == []


def test_no_entry_of_the_list_of_untested_modules_is_stale():
    stale = [name for name in UNTESTED if name not in MODULES or test_files_of(name)]
    assert stale == []


def test_no_file_is_too_large():
    lines = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    large = {name for name, count in lines.items() if count > 400}
    assert large == set(LARGE)


def words(name: str) -> set[str]:
    """Return the words of a name in snake or camel case, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def test_modules_and_classes_are_named_with_our_words():
    assert words("HTTPServerPool") == {"http", "server", "pool"}
    found = [name for name in MODULES if words(name.replace(".", "_")) & BANNED]
    for module, path in MODULES.items():
        nodes = ast.walk(ast.parse(path.read_text()))
        classes = [node.name for node in nodes if isinstance(node, ast.ClassDef)]
        found += [f"{module}.{name}" for name in classes if words(name) & BANNED]
    assert sorted(found) == sorted(ACCEPTED)  # none is stale


def test_each_module_says_what_it_is_for_and_what_is_public():
    silent = []
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text())
        exports = [n for n in tree.body if isinstance(n, ast.Assign) and "__all__" in ast.dump(n)]
        if not ast.get_docstring(tree) or (has_code(path) and not exports and path.stem[0] != "_"):
            silent.append(module)
    assert silent == []


def test_everything_exported_exists_and_nothing_else_is_promised():
    assert ambassador.__all__ == ["__version__"]
    for name in ambassador.__all__:
        assert hasattr(ambassador, name)
