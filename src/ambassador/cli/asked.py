"""Which running ambassador `status` and `healthcheck` ask."""

from __future__ import annotations

import os
from pathlib import Path

from ambassador.admin import client
from ambassador.errors import RunError
from ambassador.settings import SETTINGS

__all__ = ["admin_socket"]


def admin_socket(flag: str | None) -> Path:
    """Return its admin socket, as `--admin` or AMBASSADOR_ADMIN say, or where it is found.

    Raises ConfigError when they make no sense and RunError when nobody can be asked.
    """
    setting = SETTINGS["admin"]
    text, where = flag, f"flag {setting.flag}"
    if text is None:
        text, where = os.environ.get(setting.variable, "").strip(), setting.variable
    named: str = setting.parse(text, where) if text or flag is not None else ""
    if named == "off":
        raise RunError(f"{where} is off: an ambassador without an admin socket cannot be asked")
    return client.find(os.environ, named)
