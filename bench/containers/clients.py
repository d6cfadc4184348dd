"""Clients with a new connection for each question, which note who answered, and when."""

from __future__ import annotations

import socket
import threading
import time
from typing import NamedTuple

from bench.containers.engines import entered

__all__ = ["ASK", "Asked", "Clients", "ask"]

ASK = b"CONFIG GET dbfilename\r\n"
_PATIENCE = 30.0  # seconds


class Asked(NamedTuple):
    """One question: when it `began` and ended, who answered, or else what was `wrong`."""

    began: float
    ended: float
    who: str = ""
    wrong: str = ""


def ask(address: str, port: int, limit: float = _PATIENCE) -> Asked:
    """Ask with a connection of its own."""
    began = time.time()
    try:
        with socket.create_connection((address, port), limit) as sock:
            sock.sendall(ASK)
            data = b""
            while data.count(b"\r\n") < 5:
                piece = sock.recv(4096)
                if not piece:
                    return Asked(began, time.time(), wrong="closed")
                data += piece
    except OSError as error:
        return Asked(began, time.time(), wrong=type(error).__name__)
    return Asked(began, time.time(), data.split(b"\r\n")[4].decode())


class Clients:
    """So many threads in a network namespace; each pauses between two questions."""

    def __init__(self, namespace: str, address: str, port: int, number: int, pause: float) -> None:
        self._noted: list[list[Asked]] = [[] for _ in range(number)]
        self._latest: list[Asked | None] = [None] * number
        self._where = (address, port)
        self._pause = pause
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(namespace, one), daemon=True)
            for one in range(number)
        ]
        for thread in self._threads:
            thread.start()

    def all_since(self, moment: float) -> bool:
        """Tell whether each client has had the right answer to what it asked after `moment`."""
        return all(one and one.began > moment and one.who == "redis" for one in self._latest)

    def taken(self) -> list[Asked]:
        """Return what was noted since the last time."""
        taken = []
        for found in self._noted:
            new = found[:]
            del found[: len(new)]
            taken += new
        return taken

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(_PATIENCE + 5)

    def _run(self, namespace: str, number: int) -> None:
        with entered(namespace):
            while not self._stopped.wait(self._pause):
                asked = ask(*self._where)
                self._noted[number].append(asked)
                self._latest[number] = asked
