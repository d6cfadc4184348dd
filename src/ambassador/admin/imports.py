"""uvicorn without its command line, which nobody types here."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

__all__ = ["import_uvicorn"]

_COMMAND_LINE = "uvicorn.main"


def import_uvicorn() -> None:
    """Import uvicorn. Its package imports its command line, and with it click, multiprocessing
    and what starts it anew when a file changes: 1.3 MB and 30 ms, where h11 and a configuration
    are all that is used. An empty module has that place meanwhile; whoever imports `uvicorn.main`
    later gets it.
    """
    if "uvicorn" in sys.modules:
        return
    empty = ModuleType(_COMMAND_LINE)
    for name in ("Server", "main", "run"):
        setattr(empty, name, None)
    sys.modules[_COMMAND_LINE] = empty
    try:
        import_module("uvicorn")
    except ImportError:  # another version, which imports more from there: then as it is
        sys.modules.pop(_COMMAND_LINE, None)
        import_module("uvicorn")
    finally:
        sys.modules.pop(_COMMAND_LINE, None)
