"""Find an upstream for a waiting client: try, doubt, resolve again, back off, within a limit."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import random
import socket
from collections.abc import Callable

from ambassador.core.retry import attempt_limit, backoff
from ambassador.errors import ResolveError
from ambassador.model import Endpoint, Inet
from ambassador.planes.relay.descriptors import EXHAUSTED
from ambassador.planes.relay.live import Candidate, LiveRoute
from ambassador.planes.relay.options import guard, reset
from ambassador.ports import Resolver

__all__ = ["UnreachableError", "connect", "doubt", "refuse_itself", "refuse_ourselves", "spoken"]

# Seconds: the last attempt may be cut off so early that its silence says nothing, and what was seen
# before is the better reason.
_SPEAKS = 0.1


class UnreachableError(Exception):
    """No endpoint answered within the route's `connect`; the text is the last reason."""


async def connect(
    live: LiveRoute,
    port: int,
    resolver: Resolver,
    is_own: Callable[[str, int], bool],
    *,
    since: float | None = None,
) -> tuple[socket.socket, Candidate]:
    """Return a connected, non-blocking socket for a client of listen port `port`.

    Endpoints are tried in the order the route picks, each at all its addresses, round after
    round, and their names are asked for again after each failure. `is_own` tells whether an
    address of this host is one of our own listeners. Raises UnreachableError `route.connect`
    seconds after `since` (the loop's time; now).
    """
    loop = asyncio.get_running_loop()
    deadline = (loop.time() if since is None else since) + live.route.connect
    rounds = 0
    reason = "its name is not resolved in time"
    while True:
        endpoints = live.choose(loop.time())
        reason = reason if endpoints else "no endpoint takes new sessions"
        for index, endpoint in enumerate(endpoints):
            others = len(endpoints) - index - 1
            try:
                async with asyncio.timeout_at(deadline):
                    candidates = await live.candidates(endpoint, port, resolver)
            except TimeoutError:
                break
            except ResolveError as error:
                reason = str(error)
                live.failed(endpoint, reason, loop.time())
                continue
            candidates = live.trusted_first(candidates, loop.time())
            for place, candidate in enumerate(candidates):
                limit = attempt_limit(deadline - loop.time(), others + len(candidates) - place)
                if limit <= 0:
                    break
                try:
                    sock = await _attempt(candidate, limit, is_own)
                except TimeoutError:
                    silent = f"{candidate} does not answer"
                    reason = silent if limit >= _SPEAKS or not rounds else reason
                except OSError as error:
                    reason = f"{candidate}: {spoken(error)}"
                    if error.errno in EXHAUSTED:
                        break  # ours to solve, not the endpoint's
                else:
                    live.address_answered(candidate)
                    live.reached(endpoint, loop.time())
                    return sock, candidate
                live.address_failed(candidate, loop.time())
                doubt(endpoint, resolver)
            else:
                live.failed(endpoint, reason, loop.time())
        remaining = deadline - loop.time()
        if remaining <= 0:
            raise UnreachableError(reason)
        await asyncio.sleep(min(remaining, backoff(rounds, random.random())))
        rounds += 1


async def _attempt(
    candidate: Candidate, limit: float, is_own: Callable[[str, int], bool]
) -> socket.socket:
    refuse_ourselves(candidate, is_own)
    if not candidate.port:
        return _attempt_unix(candidate.address)
    family = socket.AF_INET6 if ":" in candidate.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        guard(sock)
        async with asyncio.timeout(limit):
            await asyncio.get_running_loop().sock_connect(sock, (candidate.address, candidate.port))
        refuse_itself(sock)
    except BaseException:
        reset(sock)  # it may be connected since: the client has gone with a reset
        sock.close()
        raise
    return sock


def _attempt_unix(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        # connect(2): a unix socket connects at once, or fails with EAGAIN when the backlog is
        # full; it is never "in progress", as the loop's sock_connect would take it.
        guard(sock)
        sock.connect(path)
    except BlockingIOError as error:
        sock.close()
        raise OSError(errno.EAGAIN, "its listen backlog is full") from error
    except BaseException:
        sock.close()
        raise
    return sock


def refuse_ourselves(candidate: Candidate, is_own: Callable[[str, int], bool]) -> None:
    """Raise OSError when `candidate` is one of our own listeners. It is not connected to: each
    connection would make a session that makes a connection, as fast as the machine can.
    """
    if is_own(candidate.address, candidate.port) and _is_here(candidate):
        raise OSError(errno.ELOOP, "this endpoint is the ambassador itself")


def _is_here(candidate: Candidate) -> bool:
    if not candidate.port:
        return True
    family = socket.AF_INET6 if ":" in candidate.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((candidate.address, candidate.port))  # for datagrams only a look at routes
        own: str = probe.getsockname()[0]
        peer: str = probe.getpeername()[0]
    # To an address of its own the kernel speaks from that address, to 127.0.0.2 from 127.0.0.1.
    return own == peer or (own.startswith("127.") and peer.startswith("127."))


def refuse_itself(sock: socket.SocketType) -> None:
    """Raise OSError when `sock` is connected to itself: on this host, with nobody listening, the
    kernel may give it its own destination port as source port (TCP: simultaneous open, RFC 9293
    section 3.5).
    """
    try:
        itself = sock.getsockname()[:2] == sock.getpeername()[:2]
    except OSError:  # reset already, by somebody else
        return
    if itself:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "connection refused")


def doubt(endpoint: Endpoint, resolver: Resolver) -> None:
    """Have the name of `endpoint` asked for again."""
    if isinstance(endpoint.address, Inet):
        resolver.doubt(endpoint.address.host)


def spoken(error: OSError) -> str:
    """Return the reason of `error` as a log says it: `connection refused`."""
    # uvloop's errors carry only the number; asyncio's add "Connect call failed (...)".
    if error.errno is None:
        return str(error).lower()
    with contextlib.suppress(ValueError):
        if error.errno not in (errno.ELOOP, errno.EAGAIN):
            return os.strerror(error.errno).lower()
    return (error.strerror or str(error)).lower()
