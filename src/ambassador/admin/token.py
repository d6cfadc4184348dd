"""The token of the API over TCP: from a variable or a file, and never anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ambassador.errors import ConfigError, Problem

__all__ = ["read_token"]

_FILE = "AMBASSADOR_API_TOKEN_FILE"


def read_token(text: str, path: str, parse: Callable[[str, str], str]) -> str:
    """Return the token: `text` itself, or what the file at `path` holds, as `parse` finds it good.

    Raises ConfigError, also when neither or both are given; the token is in no error.
    """
    if text and path:
        what = "is set beside AMBASSADOR_API_TOKEN"
        raise ConfigError(Problem(_FILE, what, path, "one of the two"))
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
        raise ConfigError(Problem(where, what, "", "a file with the token")) from None
    except UnicodeError:
        raise ConfigError(Problem(where, "is no ASCII text", "", "the token")) from None
    return parse(read, where)
