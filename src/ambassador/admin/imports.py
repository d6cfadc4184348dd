"""Import uvicorn and Starlette without the modules that they import and we never use: a command
line, the configuration of logs, forms, files, tasks for WebSockets.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

__all__ = ["import_starlette", "import_uvicorn"]

# Modules that each imports and does not use for us, with the names that it imports from them.
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
    """Import the parts of uvicorn that we use: its protocol on h11. The package itself also imports
    its command line, and with that click, multiprocessing and its reloader (1.3 MB and 30 ms); its
    configuration imports everything that configures logs (0.5 MB).
    """
    _import(_UVICORN, "uvicorn.protocols.http.h11_impl")


def import_starlette() -> None:
    """Import the parts of Starlette that we use. It also imports a task library, an HTTP client, a
    parser of forms with temporary files, and OpenSSL's checksums for files.
    """
    import_module("http")  # the package, of which two modules are left out
    _import(_STARLETTE, "starlette.middleware.exceptions", "starlette.routing")


def _import(unused: Mapping[str, tuple[str, ...]], *modules: str) -> None:
    """Import `modules`. Meanwhile the `unused` modules are replaced by placeholders; a module that
    is imported later, or used, is the real one.
    """
    if modules[0] in sys.modules:
        return
    later = {name: _Later(name, unused[name]) for name in unused if name not in sys.modules}
    sys.modules.update(later)
    try:
        _all(modules)
    except (ImportError, TypeError):  # another version, which uses more: import all of it
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
    """Stands in for a module until something of it is used, in whichever thread."""

    def __init__(self, name: str, names: tuple[str, ...]) -> None:
        super().__init__(name)
        for one in names:
            setattr(self, one, _type_var if one == "TypeVar" else self._later(one))
        parent, _, child = name.rpartition(".")
        if parent in sys.modules and not hasattr(sys.modules[parent], child):
            setattr(sys.modules[parent], child, self)  # as an import does

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import itself looks for such names
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
    """Return a type variable without its default: Python has these from 3.13 on, and no code here
    reads it.
    """
    named.pop("default", None)
    return TypeVar(name, **named)
