"""uvicorn and Starlette without what nobody here uses of them: a command line, the configuration of
logs, forms, files, WebSockets' tasks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

__all__ = ["import_starlette", "import_uvicorn"]

# What each imports and does not call for us, with the names it looks for there.
_UVICORN: dict[str, tuple[str, ...]] = {
    "uvicorn.main": ("Server", "main", "run"),
    "logging.config": ("dictConfig", "fileConfig"),
    "configparser": ("RawConfigParser",),
}
_STARLETTE: dict[str, tuple[str, ...]] = {
    "starlette.formparsers": ("FormParser", "MultiPartException", "MultiPartParser"),
    "anyio": (),
    "anyio.abc": (),
    "anyio.to_thread": (),
    "hashlib": (),
    "http.client": (),
    "http.cookies": (),
    "mimetypes": ("guess_type",),
    "secrets": ("token_hex",),
    "typing_extensions": ("TypeIs", "TypeVar", "deprecated"),
}


def import_uvicorn() -> None:
    """Import what is used of uvicorn. Its package imports its command line, and with it click,
    multiprocessing and what starts it again when a file changes (1.3 MB and 30 ms), and its
    configuration all that logs can be configured with (0.5 MB), where h11 is all that is used.
    """
    _import(_UVICORN, "uvicorn.protocols.http.h11_impl")


def import_starlette() -> None:
    """Import what is used of Starlette. It imports a task library, a client for HTTP, a parser of
    forms with temporary files, and OpenSSL's checksums for files.
    """
    import_module("http")  # of which two modules are left out
    _import(_STARLETTE, "starlette.middleware.exceptions", "starlette.routing")


def _import(unused: Mapping[str, tuple[str, ...]], *modules: str) -> None:
    """Import `modules`. Others have the places of those that are `unused` meanwhile; whoever
    imports one later, or uses it, gets it.
    """
    if modules[0] in sys.modules:
        return
    later = {name: _Later(name, unused[name]) for name in unused if name not in sys.modules}
    sys.modules.update(later)
    try:
        _all(modules)
    except (ImportError, TypeError):  # another version, which uses more of it: then as it is
        _drop(later)
        _all(modules)
    finally:
        _drop(later)


def _all(modules: tuple[str, ...]) -> None:
    for name in modules:
        import_module(name)


def _drop(modules: Mapping[str, ModuleType]) -> None:
    for name, module in modules.items():
        if sys.modules.get(name) is module:
            del sys.modules[name]


class _Later(ModuleType):
    """Has the place of a module until something of it is used, by whichever thread."""

    def __init__(self, name: str, names: tuple[str, ...]) -> None:
        super().__init__(name)
        for one in names:
            setattr(self, one, _type_var if one == "TypeVar" else self._later(one))
        parent, _, child = name.rpartition(".")
        if parent in sys.modules and not hasattr(sys.modules[parent], child):
            setattr(sys.modules[parent], child, self)  # as an import does

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # which the import itself looks for
            raise AttributeError(name)
        return self._used(name)

    def _used(self, name: str) -> Any:
        _drop({self.__name__: self})
        module = import_module(self.__name__)
        if not hasattr(module, name):
            import_module(f"{self.__name__}.{name}")
        return getattr(module, name)

    def _later(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            return self._used(name)(*args, **named)

        return call


def _type_var(name: str, *_args: Any, **named: Any) -> Any:
    """Return a type variable without its default, which Python has from 3.13 on: nobody asks."""
    named.pop("default", None)
    return TypeVar(name, **named)
