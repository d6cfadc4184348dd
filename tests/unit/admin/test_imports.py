import os
import subprocess
import sys

from tests.program import unmeasured

_PROGRAM = """
import sys
from ambassador.admin.imports import import_uvicorn
import_uvicorn()
import ambassador.admin.connection
print(*sorted({"click", "multiprocessing", "uvicorn.main"} & set(sys.modules)))
import uvicorn.main
print(callable(uvicorn.main.run))
"""


def test_uvicorn_comes_without_its_command_line_which_can_be_imported_all_the_same():
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env=unmeasured(os.environ),  # which imports more
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines() == ["", "True"]
