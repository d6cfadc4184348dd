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


_STARLETTE = """
import sys
from ambassador.admin.imports import _Later, import_starlette
import_starlette()
import ambassador.admin.web
unused = {"anyio", "hashlib", "http.client", "http.cookies", "mimetypes", "secrets", "tempfile"}
print(*sorted((unused | {"starlette.formparsers", "typing_extensions"}) & set(sys.modules)))
from starlette import requests, responses
from starlette.exceptions import HTTPException
print(HTTPException(404).detail, responses.hashlib.md5(b"").hexdigest()[:4])
print(requests.anyio.CancelScope, callable(responses.anyio.to_thread.run_sync))
print(responses.http.cookies.SimpleCookie.__name__)
print(len(responses.token_hex(4)), responses.guess_type("a.css")[0])
print(requests.FormParser.__name__)
from starlette.formparsers import FormParser
import secrets, hashlib
print(FormParser.__name__, len(secrets.token_hex(4)), len(hashlib.sha256(b"").digest()))
sys.modules["mailbox"] = _Later("mailbox", ())  # as it is while they are imported
from mailbox import Mailbox
print(Mailbox.__name__, sys.modules["mailbox"].__file__.endswith("mailbox.py"))
"""


def said(program: str) -> list[str]:
    """Return the lines that `program` prints."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=unmeasured(os.environ),  # which imports more
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


def test_uvicorn_comes_without_what_is_not_used_which_can_be_imported_all_the_same():
    unused, usable = said(_PROGRAM)
    assert unused == ""
    assert usable.startswith("True True <configparser.ConfigParser object")


def test_starlette_comes_without_what_is_not_used_which_works_all_the_same_once_it_is():
    assert said(_STARLETTE) == [
        "",
        "Not Found d41d",
        "<class 'anyio.CancelScope'> True",
        "SimpleCookie",
        "8 text/css",
        "call",
        "FormParser 8 32",
        "Mailbox True",
    ]
