"""The token of the API over TCP: it comes from a variable or a file. The file is read again at a
reload, so that the token can be replaced while the program runs.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from ambassador import log
from ambassador.errors import ConfigError, Problem

__all__ = ["Token", "read_token", "shell_word"]

_FILE = "AMBASSADOR_API_TOKEN_FILE"


class Token:
    """Implements ports.Reloadable; `read` returns the token, or raises ConfigError. `file` is the
    file that has the token; empty: the variable has it.
    """

    name = "token"

    def __init__(self, read: Callable[[], str], file: str = "") -> None:
        self.file = file
        self._read = read
        self._value = self._last = ""

    def __call__(self) -> str:
        """Return the token that is accepted now."""
        return self._value

    def read(self) -> None:
        """Read it again; see ports.Reloadable."""
        self._last = self._read()

    def take_over(self) -> None:
        """Accept only the token that was read last; see ports.Reloadable."""
        if self._value not in ("", self._last):
            log.event(log.INFO, "token_replaced", "the API asks for another token from now on")
        self._value = self._last


def shell_word(token: object) -> str:
    """Return the word from which a shell on the ambassador's host makes `token`, for an example."""
    file = token.file if isinstance(token, Token) else ""
    return f"$(cat {shlex.quote(file)})" if file else "$AMBASSADOR_API_TOKEN"


def read_token(text: str, path: str, parse: Callable[[str, str], str]) -> str:
    """Return the token: `text`, or the content of the file at `path`, checked by `parse`.

    Raises ConfigError, also when neither or both are given; no error contains the token.
    """
    if text and path:
        what = "is set beside AMBASSADOR_API_TOKEN"
        raise ConfigError(Problem(_FILE, what, path, "one of the two", f"{_FILE}="))
    if not text and not path:
        what = "must be set: over TCP the API asks for a token"
        example = f"{_FILE}=/run/secrets/ambassador"
        raise ConfigError(Problem(_FILE, what, "", "a file with the token", example))
    if text:
        return text
    where = f"file {path}"
    try:
        read = Path(path).read_text(encoding="ascii").strip()
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
        raise ConfigError(Problem(where, what, "", "a file with the token", _made(path))) from None
    except UnicodeError:
        what = "is no ASCII text"
        raise ConfigError(Problem(where, what, "", "the token", _made(path))) from None
    return parse(read, where)


def _made(path: str) -> str:
    return f"head -c 24 /dev/urandom | base64 > {shlex.quote(path)}"
