"""What answers a probe: programs, and a socket that says what it is told to say."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator

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


class Named:
    """A service on 127.0.0.1 that says its `name` to each client, and hangs up. `make` creates its
    listening socket, in another namespace perhaps.
    """

    def __init__(
        self,
        name: str,
        port: int = 0,
        make: Callable[[tuple[str, int]], socket.socket] = socket.create_server,
    ) -> None:
        self._name = name.encode()
        self.sock = make(("127.0.0.1", port))
        self.url = f"tcp://127.0.0.1:{self.sock.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.sock.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):  # who only looks resets it
                connection.sendall(self._name)

    def close(self) -> None:
        """Answer no longer."""
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
