"""What a killed ambassador has left: found before a new one starts, and logged afterwards."""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from pathlib import Path
from typing import TYPE_CHECKING

from ambassador import log
from ambassador.admin.locate import answers
from ambassador.admin.place import called, candidates, of_our_own
from ambassador.app.handed import go_on
from ambassador.control.reconciler import Reconciler
from ambassador.core.offload import workers
from ambassador.core.wish import Wish
from ambassador.errors import RunError
from ambassador.handover.transfer import Transfer
from ambassador.planes.relay.cores import cores
from ambassador.planes.relay.outlive import Outlive
from ambassador.planes.relay.plane import RelayPlane
from ambassador.settings import Settings
from ambassador.sockets.inherited import Inherited, LentSocket
from ambassador.sockets.kept import apart
from ambassador.sockets.systemd import Notifier

if TYPE_CHECKING:
    from ambassador.planes.relay.reclaim import Claims
    from ambassador.planes.relay.reclaimed import Recovered

__all__ = ["Left", "leave", "left_by_one_killed", "outlive", "tell_restart"]


class Left:
    """What a killed ambassador has left, as `claims` have it; empty without them. `silent` are its
    processes that do not answer.
    """

    def __init__(self, claims: Claims | None = None, silent: Sequence[int] = ()) -> None:
        self._claims = claims
        self._silent = silent
        self._kept: list[LentSocket] = []

    def __bool__(self) -> bool:
        return self._claims is not None

    def and_kept(
        self, given: Iterable[tuple[str, LentSocket]], notifier: Notifier
    ) -> list[tuple[str, LentSocket]]:
        """Return the `given` sockets of a socket unit; the others, which `notifier` has kept for
        us, are added to this.
        """
        units, kept = apart(given)
        notifier.kept.given(kept)
        for _, sock in kept:
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                self._kept.append(sock)
            else:  # the route of this socket was removed
                sock.close()
        return units

    def sockets(self, given: Iterable[LentSocket]) -> list[LentSocket]:
        """Return its listening sockets, without those that systemd has `given`."""
        seen = {(one.family, one.type, one.getsockname()) for one in given}
        found = []
        for sock in (*(self._claims.sockets if self._claims else ()), *self._kept):
            name = sock.family, sock.type, sock.getsockname()
            if name in seen:
                sock.close()
            else:
                sock.own()
                found.append(sock)
                seen.add(name)
        return found

    def wishes(self, settings: Settings) -> bytes | None:
        """Return the wishes of its operator, unless they are on disk."""
        if self._claims is None or settings.state:
            return None
        return self._claims.wishes or None

    def explained(self, error: RunError) -> RunError | None:
        """Return `error` of a start with its cause, where the cause is known here."""
        if not self._silent or os.strerror(errno.EADDRINUSE).lower() not in str(error):
            return None
        many = "processes" if len(self._silent) > 1 else "process"
        pids = " ".join(map(str, self._silent))
        return RunError(
            f"{error}\n{many} {pids}, left by an ambassador that was killed, may have it and "
            f"does not answer: have it go on (kill -CONT {pids}) and start again, and its sessions "
            f"are taken back; or end it with its sessions (kill -KILL {pids})"
        )

    def take_back(
        self,
        relay: RelayPlane,
        inherited: Inherited,
        transfer: Transfer,
        reconciler: Reconciler,
    ) -> bool:
        """Go on with all of it, now that the routes exist. Return whether there were processes."""
        if self._claims is not None:
            recovered = relay.reclaim(self._claims)
            inherited.own()
            transfer.recover(recovered.counted, recovered.more)
            _tell(recovered)
            go_on(reconciler, self._claims.wishes)
        for name in inherited.close_left():
            text = f"the previous ambassador listened on {name}; no route here does: closed"
            log.event(log.WARNING, "listener_closed", text, listener=name)
        return bool(self)


def tell_restart(environ: MutableMapping[str, str]) -> None:
    """Log that this process was started again, where `supervisor` says so; remove that from
    `environ`.
    """
    number = environ.pop("KILLED_BY", "")
    if number:
        name = next((one.name for one in signal.Signals if str(one.value) == number), number)
        text = f"the ambassador before was killed by {name}: this one is started in its place"
        log.event(log.WARNING, "restarted", text, signal=name)


def left_by_one_killed(settings: Settings, environ: Mapping[str, str]) -> Left:
    """Claim the workers of a killed ambassador with our admin socket, if there are any. Blocks
    until they answer: milliseconds, or a second for a stopped worker.
    """
    for path in _places(settings, environ):
        try:
            some = any(path.parent.glob(f"{path.name}.worker*"))
        except OSError:
            continue
        if some and not answers(path):
            # 10 ms that every other start saves.
            from ambassador.planes.relay.reclaim import claim  # noqa: PLC0415

            return Left(*claim(path))
    return Left()


def _places(settings: Settings, environ: Mapping[str, str]) -> Iterator[Path]:
    if settings.admin == "off":
        return
    if settings.admin:
        yield Path(settings.admin)
        return
    for path in (called(one, settings.name) for one in candidates(environ)):
        yield path
        yield of_our_own(path)


def leave(
    reconciler: Reconciler,
    relay: RelayPlane,
    transfer: Transfer,
    encode: Callable[[Collection[Wish]], str],
) -> None:
    """Have the relay leave with its workers what was counted and wished, as `encode` writes it, in
    case this process is killed.
    """
    relay.ledger.count = transfer.lasting

    def keep(wishes: Collection[Wish]) -> None:
        relay.ledger.wish(lambda: encode(wishes).encode())

    reconciler.keep_wishes(keep)


def outlive(relay: RelayPlane, admin: Path | None, settings: Settings) -> None:
    """Have workers wait beside the socket `admin` in case this process is killed; log where there
    are no workers, or where the next process could not find them.
    """
    if not settings.outlive:
        return
    if not workers(settings.workers, cores()):
        why = "AMBASSADOR_WORKERS=0"
        if settings.workers is None:
            why = "it has a single core; AMBASSADOR_WORKERS=1 has one start all the same"
    elif admin is None:
        why = "AMBASSADOR_ADMIN=off: the next one would not find it"
    else:
        relay.offload.outlive = Outlive(admin, settings.outlive)
        return
    text = "should this process be killed, open sessions end with it: no other carries them"
    log.event(log.INFO, "nothing_outlives", f"{text} ({why})", reason=why)


def _tell(recovered: Recovered) -> None:
    """Log what was taken back."""
    processes, count, lost = recovered.processes, recovered.open, recovered.lost
    text = (
        f"an ambassador that was killed has left {_of(processes, 'process', 'processes')} with "
        f"{_of(count, 'open session', 'open sessions')}: taken back"
    )
    if lost:
        where = "that it carried itself ended with it"
        if recovered.silent:
            where = "ended with it, or are with a process that does not answer"
        text += f"; {_of(lost, 'session', 'sessions')} {where}"
    log.event(log.WARNING, "taken_back", text, processes=processes, sessions=count, lost=lost)


def _of(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"
