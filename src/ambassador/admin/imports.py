"""uvicorn without what nobody here uses of it: its command line, and its configuration of logs."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

__all__ = ["import_uvicorn"]

# What uvicorn imports and does not call for us, with the names it looks for there.
_UNUSED: dict[str, tuple[str, ...]] = {
    "uvicorn.main": ("Server", "main", "run"),
    "logging.config": ("dictConfig", "fileConfig"),
    "configparser": ("RawConfigParser",),
}


def import_uvicorn() -> None:
    """Import what is used of uvicorn. Its package imports its command line, and with it click,
    multiprocessing and what starts it anew when a file changes (1.3 MB and 30 ms), and its
    configuration all that logs can be configured with (0.5 MB), where h11 is all that is used.
    Empty modules have those places meanwhile; whoever imports one later gets it.
    """
    if "uvicorn" in sys.modules:
        return
    empty = {name: _empty(name) for name in _UNUSED if name not in sys.modules}
    sys.modules.update(empty)
    try:
        _import()
    except ImportError:  # another version, which imports more from there: then as it is
        _drop(empty)
        _import()
    finally:
        _drop(empty)


def _import() -> None:
    import_module("uvicorn.protocols.http.h11_impl")


def _empty(name: str) -> ModuleType:
    module = ModuleType(name)
    for one in _UNUSED[name]:
        setattr(module, one, None)
    return module


def _drop(modules: dict[str, ModuleType]) -> None:
    for name, module in modules.items():
        if sys.modules.get(name) is module:
            del sys.modules[name]
