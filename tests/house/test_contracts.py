"""Each seam stands in `ports` and has a suite in tests/contract that names it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "ambassador"
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
PORTS = {module: path for module, path in MODULES.items() if module.startswith("ports.")}


def protocols(path: Path) -> set[str]:
    """Return the names of the protocols that a module defines."""
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any(re.match(r"(typing\.)?Protocol\b", ast.unparse(base)) for base in node.bases)
    }


def told(path: Path) -> set[str]:
    """Return the names of the types of functions that a module defines."""
    return {
        target.id
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Subscript)
        and isinstance(node.value.value, ast.Name)
        and node.value.value.id == "Callable"
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def test_each_seam_has_a_suite_that_names_it():
    suites = "".join(path.read_text() for path in (ROOT / "tests" / "contract").glob("test_*.py"))
    seams = {name for path in PORTS.values() for name in protocols(path) | told(path)}
    assert {"Plane", "SessionEnded", "Source", "StateStore", "Probe"} <= seams
    assert sorted(name for name in seams if not re.search(rf"ports\.{name}\b", suites)) == []


def test_each_implementation_is_in_a_suite():
    """Whoever says "Implements ports.X" is made in the suite, or stands in the table it goes by."""
    suites = "".join(path.read_text() for path in (ROOT / "tests" / "contract").glob("*.py"))
    suites += MODULES["probes.table"].read_text()
    seams = {name for path in PORTS.values() for name in protocols(path) | told(path)}
    missing, unknown = [], []
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ClassDef):
                continue
            said = re.search(r"[Ii]mplements ports\.(\w+)", ast.get_docstring(node) or "")
            if said and not re.search(rf"\b{node.name}\b", suites):
                missing.append(f"{module}.{node.name}")
            if said and said[1] not in seams:
                unknown.append(f"{module}.{node.name}: {said[1]}")
    assert (missing, unknown) == ([], [])


def test_no_other_module_has_a_protocol():
    """Within a room the class itself, a base class or a type of functions says what is expected."""
    outside = {
        module: sorted(names)
        for module, path in MODULES.items()
        if module not in PORTS and (names := protocols(path))
    }
    assert outside == {}


def test_a_protocol_is_found_wherever_it_stands(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "class A(Protocol): ...\nclass B(typing.Protocol[T]): ...\ndef f():\n"
        "    class C(Other, Protocol): ...\nclass D(Protocols): ...\n"
    )
    assert protocols(path) == {"A", "B", "C"}
