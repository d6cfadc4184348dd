"""The protocols of systemd for its services, without its library: sd_listen_fds(3), sd_notify(3)
and sd_watchdog_enabled(3).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from array import array
from collections.abc import MutableMapping, Sequence

from ambassador import log
from ambassador.errors import ConfigError, Problem
from ambassador.sockets.inherited import LentSocket
from ambassador.sockets.kept import KeptSockets

__all__ = ["Notifier", "listening"]

_FIRST = 3  # SD_LISTEN_FDS_START


def listening(environ: MutableMapping[str, str]) -> list[tuple[str, LentSocket]]:
    """Return the sockets that systemd has passed to this very process, each with its name (empty
    when it has none). The variables are removed from `environ`: they are not for our children.

    Raises ConfigError when they make no sense.
    """
    pid, count, names = (
        environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
    )
    if not count or pid != str(os.getpid()):
        return []
    if not count.isdecimal():
        raise _wrong("LISTEN_FDS", count, "a number of sockets")
    given = names.split(":") if names else [""] * int(count)
    if len(given) != int(count):
        raise _wrong("LISTEN_FDNAMES", names, f"{count} names with : between them")
    found = []
    for descriptor, name in enumerate(given, start=_FIRST):
        try:
            sock = LentSocket(fileno=descriptor)
        except OSError as error:
            raise _wrong("LISTEN_FDS", count, f"descriptor {descriptor} is not a socket") from error
        sock.set_inheritable(False)
        found.append((name, sock))
    return found


class Notifier:
    """Reports our state to systemd, where it asks for that; all times are in its microseconds.
    `kept` are the sockets that it keeps.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        place, watchdog, pid = (
            environ.pop(name, "") for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
        )
        self._place = f"\0{place[1:]}" if place.startswith("@") else place
        self._pause = 0.0
        if place and watchdog and pid in ("", str(os.getpid())):
            if not watchdog.isdecimal() or not int(watchdog):
                raise _wrong("WATCHDOG_USEC", watchdog, "microseconds")
            self._pause = int(watchdog) / 2_000_000
        self._timer: asyncio.TimerHandle | None = None
        wanted = environ.pop("FDSTORE", "") not in ("", "0") and bool(place)
        self.kept = KeptSockets(self._send, wanted=wanted)

    def ready(self, status: str) -> None:
        """Report that we serve, with a line of text; from now on also that we are alive."""
        self._tell("READY=1", f"STATUS={status}")
        if self._pause and self._timer is None:
            self._alive()

    def reloading(self) -> None:
        """Report that we read everything again; `ready` follows."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """Report that we are ending; that we are alive is reported until `close`."""
        self.kept.forget()
        self._tell("STOPPING=1", f"STATUS={status}")

    def succeeded_by(self, pid: int) -> None:
        """Report that process `pid` is the main process of the service from now on."""
        self._tell(f"MAINPID={pid}")
        self.kept.close()

    def close(self) -> None:
        """Report nothing any more."""
        self.kept.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _alive(self) -> None:
        # Sent by the loop itself: a loop that hangs does not send it, as intended.
        self._tell("WATCHDOG=1")
        self._timer = asyncio.get_running_loop().call_later(self._pause, self._alive)

    def _tell(self, *lines: str) -> None:
        if not self._place:
            return
        try:
            self._send_out(lines)
        except OSError as error:
            log.event(log.WARNING, "not_notified", f"systemd was not told {lines[0]}: {error}")

    def _send(self, lines: Sequence[str], descriptors: Sequence[int]) -> bool:
        """Return False where there is no room now; see KeptSockets."""
        try:
            self._send_out(lines, descriptors)
        except BlockingIOError:
            return False
        except OSError as error:
            text = f"a listening socket will not be there after a kill: {error}"
            log.event(log.WARNING, "not_notified", text)
        return True

    def _send_out(self, lines: Sequence[str], descriptors: Sequence[int] = ()) -> None:
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sock:
            sock.setblocking(False)
            text = "\n".join(lines).encode()
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))]
            sock.sendmsg([text], rights if descriptors else (), 0, self._place)


def _wrong(variable: str, read: str, expected: str) -> ConfigError:
    return ConfigError(Problem(f"environment variable {variable}", "is wrong", read, expected))
