import os
import subprocess
import sys

from tests.program import unmeasured

_PROGRAM = """
import sys
from ambassador.admin.imports import import_uvicorn
import_uvicorn()
import ambassador.admin.connection
unused = {"click", "multiprocessing", "uvicorn.main", "logging.config", "configparser"}
print(*sorted(unused & set(sys.modules)))
import configparser, logging.config, uvicorn.main
print(callable(uvicorn.main.run), callable(logging.config.dictConfig), configparser.ConfigParser())
"""


def test_uvicorn_comes_without_what_is_not_used_which_can_be_imported_all_the_same():
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env=unmeasured(os.environ),  # which imports more
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    unused, usable = done.stdout.splitlines()
    assert unused == ""
    assert usable.startswith("True True <configparser.ConfigParser object")
