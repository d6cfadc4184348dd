"""No value ever reaches a shell: the first ambassador piped its environment into one."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ambassador.core.merge import merge
from ambassador.errors import ConfigError
from ambassador.sources.env import EnvironmentSource

PACKAGE = Path(__file__).parents[2] / "src" / "ambassador"
SHELLS = {
    *("system", "popen", "getoutput", "getstatusoutput"),
    *("create_subprocess_shell", "subprocess_shell", "eval", "exec"),
}


def shells(source: str) -> list[str]:
    """Return the calls in `source` that have a shell or the interpreter run a text."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name in SHELLS:
            found.append(name)
        found += [f"{name}(shell=)" for keyword in node.keywords if keyword.arg == "shell"]
    return found


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.system('x')",
        "import subprocess; subprocess.run('x', shell=True)",
        "asyncio.create_subprocess_shell('x')",
        "eval('x')",
    ],
)
def test_a_shell_is_found(code):
    assert len(shells(code)) == 1


def test_no_module_runs_a_shell():
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 20
    assert {path.name: found for path in files if (found := shells(path.read_text()))} == {}


HOSTILE = [
    "tcp://h:1$(touch {mark})",
    "tcp://$(touch {mark}):1",
    "tcp://`touch {mark}`:1",
    "tcp://h:1;touch {mark}",
    "tcp://h:1|touch {mark}",
    "tcp://h:1&&touch {mark}",
    "tcp://h:1\ntouch {mark}",
    "tcp://h:1,$(touch${{IFS}}{mark})",
    "tcp://h:$((1+1))",
    "'; touch {mark}; '",
    "unix:///$(touch${{IFS}}{mark})",
    "unix:///`touch${{IFS}}{mark}`",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_a_shell_would_run_is_an_error_or_taken_literally(tmp_path, value):
    mark = tmp_path / "mark"
    text = value.format(mark=mark)
    try:
        (route,) = merge([EnvironmentSource({"A_PORT_1_TCP": text}).read()]).routes
    except ConfigError as error:
        assert "A_PORT_1_TCP" in error.problems[0].where
    else:
        assert text == f"unix://{route.endpoints[0].address.path}"
    assert not mark.exists()


def test_the_program_runs_nothing_of_what_it_is_given(tmp_path):
    marks = [tmp_path / f"mark{number}" for number in range(len(HOSTILE))]
    for value, mark in zip(HOSTILE, marks, strict=True):
        text = value.format(mark=mark)
        finished = subprocess.run(
            [sys.executable, "-m", "ambassador", "check", f"B_PORT_2_TCP={text}"],
            env={"PATH": os.environ["PATH"], "A_PORT_1_TCP": text},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        literal = text.startswith("unix:///")
        assert finished.returncode == (0 if literal else 2), finished.stderr
    assert list(tmp_path.iterdir()) == []
