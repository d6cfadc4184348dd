"""Whether rules that an earlier ambassador left still forward clients without us; found out without
any privilege.

Only CAP_NET_ADMIN may list rules, but the rules themselves answer: they drop a datagram to certain
addresses (questions.py) and a port whose clients they forward, and sendto fails with EPERM. Without
such rules the datagram is dropped later: multicast that may not leave this host and is not looped
back (ip(7), IP_MULTICAST_TTL, IP_MULTICAST_LOOP).
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ambassador import log
from ambassador.errors import PlaneError
from ambassador.planes.kernel.layout import GRACE, TABLE
from ambassador.planes.kernel.questions import LOCK, QUESTIONS, STANDS

if TYPE_CHECKING:
    from ambassador.planes.kernel.ruleset import Port

__all__ = ["flows_unseen", "led_past", "outlast"]

_OTHER = "224.0.0.205"  # not in our rules: if it is refused, too, another firewall refuses
_PATIENCE = GRACE + 2.0  # seconds: rules of a process that was killed have ended by then
_LOOK = 0.1  # seconds between two questions
_UNSEEN = (
    "an earlier ambassador left its table in the kernel: connections of it may still go past this "
    "one, which cannot see them (that needs CAP_NET_ADMIN and nft)"
)


def led_past(ports: Iterable[Port]) -> set[Port]:
    """Return the ports among `ports` whose clients are forwarded by rules of an earlier ambassador,
    which is gone; none while an ambassador that lives has the rules.
    """
    with _asking() as sock:
        if sock is None:
            return set()
        return {
            (proto, port)
            for proto, port in ports
            if _refused(sock, QUESTIONS[proto], port) and not _refused(sock, _OTHER, port)
        }


def flows_unseen() -> str:
    """Return a text where an earlier ambassador has left its table, so that connections of it may
    still go past this one; else it is empty.
    """
    with _asking() as sock:
        left = sock is not None and _refused(sock, STANDS, 9) and not _refused(sock, _OTHER, 9)
    return _UNSEEN if left else ""


@contextmanager
def _asking() -> Iterator[socket.socket | None]:
    """Yield the socket for questions; None where an ambassador that lives has the rules, or where
    nothing can be asked, since 127.0.0.1 is down.
    """
    with socket.socket(socket.AF_UNIX) as lock:
        try:
            lock.bind(LOCK)
        except OSError:
            yield None
            return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        here = socket.inet_aton("127.0.0.1")
        try:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
        except OSError:
            yield None
            return
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        yield sock


async def outlast(ports: Collection[Port]) -> None:
    """Wait until no rules of an earlier ambassador lead clients of `ports` past us. Raises
    PlaneError where they do not end by themselves.
    """
    left = led_past(ports)
    if not left:
        if unseen := flows_unseen():
            log.event(log.WARNING, "flows_unseen", unseen)
        return
    shown = _shown(left)
    log.event(
        log.WARNING,
        "rules_in_force",
        f"rules that an earlier ambassador left lead clients of {shown} past this one: waiting "
        "until they end",
        ports=sorted(port for _, port in left),
    )
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE
    while left := led_past(left):
        if loop.time() > deadline:
            raise PlaneError(
                f"rules that an earlier ambassador left lead clients of {_shown(left)} past this "
                "one, which cannot change them (that needs CAP_NET_ADMIN and nft). Remove them as "
                f"root in this network namespace: nft delete table {TABLE}"
            )
        await asyncio.sleep(_LOOK)
    log.event(
        log.WARNING,
        "rules_ended",
        f"the rules have ended: new clients of {shown} reach this one. Open connections of the "
        "earlier ambassador go on in the kernel: this one neither lists nor cuts them (that needs "
        "CAP_NET_ADMIN and nft)",
    )


def _refused(sock: socket.socket, address: str, port: int) -> bool:
    try:
        sock.sendto(b"", (address, port))
    except OSError as error:
        return error.errno == errno.EPERM
    return False


def _shown(ports: Iterable[Port]) -> str:
    names = [f"{proto} port {port}" for proto, port in sorted(ports, key=lambda one: one[1])]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
