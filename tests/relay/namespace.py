"""Network namespaces for tests, one a thread: what is started inside goes away with it."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["in_new_namespace", "run"]

_T = TypeVar("_T")
_CLONE_NEWNET = 0x40000000  # linux/sched.h
_libc = ctypes.CDLL(None, use_errno=True)


def in_new_namespace(work: Callable[[], _T], within: float = 40.0) -> _T:
    """Call `work` in a thread with an empty network namespace whose loopback is up.

    Threads and processes that it starts are in the same namespace; it is gone with the last of
    them (network_namespaces(7)). Needs root.
    """
    outcome: dict[str, Any] = {}

    def working() -> None:
        try:
            if _libc.unshare(_CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            run("ip", "link", "set", "lo", "up")
            outcome["value"] = work()
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=working, name="namespace", daemon=True)
    thread.start()
    thread.join(within)
    assert not thread.is_alive(), f"not within {within} s"
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


def run(*command: str) -> None:
    """Run a command in the namespace of the calling thread."""
    subprocess.run(command, check=True, timeout=10, stdin=subprocess.DEVNULL)
