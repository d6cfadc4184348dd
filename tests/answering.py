"""What answers a probe: programs, and a socket that says what it is told to say."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator

__all__ = ["running", "saying"]


@contextlib.contextmanager
def running(*command: str, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the end of the block."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def saying(data: bytes, *, first: bool = False) -> Iterator[int]:
    """Listen; say `data` to each client once it has said something (or `first`), and close."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                client, _ = listener.accept()
                with client:
                    client.settimeout(5)
                    if not first:
                        client.recv(1000)
                    client.sendall(data)
                    if first:  # what it says then is read, so that no reset overtakes `data`
                        client.shutdown(socket.SHUT_WR)
                        while client.recv(1000):
                            pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
