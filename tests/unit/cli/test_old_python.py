"""What a Python that is too old is told, before it is asked to read what it cannot."""

import ast
import subprocess
import sys
from pathlib import Path

import ambassador

ROOT = Path(ambassador.__file__).parent
PRETENDS = """
import sys
sys.version_info = (3, 9, 2, "final", 0)
from ambassador.cli import main
main()
"""


def test_it_is_told_in_a_word_and_nothing_else_is_imported():
    command = (sys.executable, "-c", PRETENDS)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"ambassador: {sys.executable} is Python 3.9.2, and 3.11 or")
    assert done.stderr.count("\n") == 1


def test_what_comes_before_that_can_be_read_by_it():
    for name in ("__init__.py", "__main__.py", "cli/__init__.py"):
        ast.parse((ROOT / name).read_text(), feature_version=(3, 7))
