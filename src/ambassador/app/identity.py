"""Our identity in TLS while the program runs: files that change, and a certificate that expires."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ambassador import log
from ambassador.errors import AmbassadorError, in_a_line
from ambassador.model import Route, Verify
from ambassador.sources.watch import FileWatch
from ambassador.tasks import spawn
from ambassador.tls.keyring import Keyring

if TYPE_CHECKING:
    from ambassador.core.results import IdentityView

__all__ = ["IdentityFiles"]

_INTERVAL, _REST = 0.5, 0.3  # seconds; see FileWatch
_SOON = 14 * 86400.0  # seconds left of a certificate from which on it is logged, daily
_DAY = 86400.0
_LOOK = 60.0  # seconds between two looks at the clock


class IdentityFiles:
    """Has `keyring` read its files again when they change, and logs when the certificate
    expires.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._problem = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._warned = 0.0
        self._loud: set[str] = set()  # routes with verify=none that were logged

    @property
    def view(self) -> IdentityView | None:
        """Return the identity as `status` shows it; None without one."""
        if not self._keyring.where:
            return None
        from ambassador.core.results import IdentityView  # noqa: PLC0415 (when it is asked)

        bundle = self._keyring.bundle
        return IdentityView(
            self._keyring.where, bundle.names.all, round(bundle.expires, 3), self._problem
        )

    def open(self) -> None:
        """Begin to watch."""
        if self._keyring.where:
            self._say_exposed()
            self._tasks = [self._watch(path) for path in self._keyring.files]
            self._tasks.append(spawn(self._look(), "the time of the certificate"))

    def change(self, routes: Iterable[Route]) -> None:
        """Log each of `routes` that is new and has verify=none."""
        for route in routes:
            said = [route.tls, *(endpoint.tls for endpoint in route.endpoints)]
            nobody = any(one is not None and one.verify is Verify.NONE for one in said)
            if nobody and route.name not in self._loud:
                text = (
                    f"{route.name}  verify=none: NOBODY proves who it is; anybody in between can "
                    "read and change everything"
                )
                log.event(log.WARNING, "not_verified", text, route=route.name)
                self._loud.add(route.name)

    def close(self) -> None:
        """Stop watching."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    async def renew(self) -> None:
        """Read the files again, or log why the identity stays as it was."""
        keyring = self._keyring
        try:
            bundle = await asyncio.to_thread(keyring.read)
        except AmbassadorError as error:
            self._failed(in_a_line(error))
            return
        if gone := next(filter(_has_no_name, keyring.files), None):
            self._failed(
                f"another file was put in the place of {gone}, which is bound here by itself and "
                "stays the one it was: bind its folder, or write into the file (cp, not mv)"
            )
            return
        self._problem, self._warned = "", 0.0
        if bundle != keyring.bundle:
            keyring.use(bundle)
            until = time.strftime("%Y-%m-%d", time.gmtime(bundle.expires))
            text = f"the identity {bundle.names} was read again from {keyring.where}, until {until}"
            log.event(log.INFO, "identity_renewed", text, expires=bundle.expires)
            self._say_exposed()

    def _failed(self, text: str) -> None:
        if text != self._problem:
            self._problem = text
            log.event(log.ERROR, "identity_failed", f"the identity stays as it was: {text}")

    def _watch(self, path: Path) -> asyncio.Task[None]:
        return spawn(FileWatch(path, self.renew, _INTERVAL, _REST).run(), f"watch {path}")

    async def _look(self) -> None:
        while True:
            self._say_when_it_ends(time.time())
            await asyncio.sleep(_LOOK)

    def _say_when_it_ends(self, now: float) -> None:
        bundle = self._keyring.bundle
        left = bundle.expires - now
        if not bundle.proves or left > _SOON or now - self._warned < _DAY:
            return
        self._warned = now
        where = self._keyring.where
        if left <= 0:
            text = f"the certificate of {bundle.names} HAS EXPIRED: no other side accepts it"
            level = log.ERROR
        else:
            text = f"the certificate of {bundle.names} expires in {_days(left)}"
            level = log.WARNING
        text = f"{text}: ambassador pair --renew, or put a new one at {where}"
        log.event(level, "identity_expires", text, seconds=round(left))

    def _say_exposed(self) -> None:
        for path in self._keyring.bundle.exposed:
            text = f"{path} has a private key and may be read by others than its owner: chmod 600"
            log.event(log.WARNING, "identity_exposed", text, path=path)


def _has_no_name(path: Path) -> bool:
    """Return whether the file at `path` has no name any more except the one where it is
    bind-mounted: a file that was renamed into its place on the host is not seen here.
    """
    try:
        return path.stat().st_nlink == 0
    except OSError:
        return False


def _days(seconds: float) -> str:
    days = int(seconds // _DAY)
    return f"{days} days" if days > 1 else f"{max(int(seconds // 3600), 0)} hours"
