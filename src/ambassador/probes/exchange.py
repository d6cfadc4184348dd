"""Connect to an endpoint and have a probe judge its answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Sequence

from ambassador.core.located import at
from ambassador.model import Endpoint, Inet, Proto
from ambassador.ports import Dialogue, Probe, Resolver
from ambassador.probes.conversation import WORDS, Conversations, Header, Place, Question
from ambassador.spec import printable
from ambassador.spec.health import http_of
from ambassador.tls.keyring import Keyring

__all__ = [
    "NoAnswerError",
    "Place",
    "ask",
    "header_of",
    "host_of",
    "in_clear",
    "places",
    "places_at",
]

_MOST = 64 << 10  # bytes of an answer that are read
_PIECE = 4096
_AGAIN = 1.0  # seconds until a datagram is sent again


class NoAnswerError(Exception):
    """There was no answer, or not a good one; the text says why."""


async def places(endpoint: Endpoint, resolver: Resolver, health: str = "") -> Sequence[Place]:
    """Return every address of `endpoint` that its probe asks: at the port that `health` names, or
    at its own; of a range, at the first and the last port.

    Raises ResolveError.
    """
    address = endpoint.address
    if not isinstance(address, Inet):
        return [(socket.AF_UNIX, address.path)]
    return _at(address, await resolver.resolve(address.host), health)


def places_at(endpoint: Endpoint, host: str, health: str = "") -> Sequence[Place]:
    """Return what `places` returns for one address of its name, or for a path."""
    address = endpoint.address
    if not isinstance(address, Inet):
        return [(socket.AF_UNIX, address.path)]
    return _at(address, (host,), health)


def _at(address: Inet, hosts: Sequence[str], health: str) -> list[Place]:
    own, _ = http_of(health)
    ports = [own] if own else list(dict.fromkeys((address.ports[0], address.ports[-1])))
    return [
        (
            socket.AF_INET6 if ":" in host else socket.AF_INET,
            (at(host, 0)[0], own) if own else at(host, port),
        )
        for host in dict.fromkeys(hosts)
        for port in ports
    ]


async def ask(
    probe: Probe, place: Place, endpoint: Endpoint, limit: float, keyring: Keyring | None = None
) -> None:
    """Return when the answer of `endpoint`, at `place`, is good by `probe`, within `limit` seconds;
    with TLS, where the endpoint has it, by `keyring`. Raises NoAnswerError.

    The connection is closed as a client closes it that has read everything.
    """
    if in_clear(endpoint, place):
        why = await _ask(probe, place, endpoint, limit)
    else:
        why = await _ask_otherwise(probe, place, endpoint, limit, keyring)
    if why:
        raise NoAnswerError(why)


def in_clear(endpoint: Endpoint, place: Place) -> bool:
    """Tell whether `endpoint` is probed at `place` over TCP or a unix socket without TLS."""
    return endpoint.proto is Proto.TCP and not (endpoint.tls and _is_its_own(endpoint, place[1]))


def header_of(endpoint: Endpoint, place: Place) -> Header | None:
    """Return what makes the PROXY header for `endpoint` at `place`; None where there is none."""
    if not endpoint.proxy or not _is_its_own(endpoint, place[1]):
        return None
    from ambassador.core.proxy.writing import write_local  # noqa: PLC0415

    return lambda sock: write_local(endpoint.proxy, sock.getsockname(), sock.getpeername())


async def _ask(probe: Probe, place: Place, endpoint: Endpoint, limit: float) -> str:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    conversations = Conversations()
    asked = Question(place, probe, host_of(endpoint), limit, header_of(endpoint, place))
    try:
        conversations.begin(asked, answer.set_result)
        return await answer
    finally:
        conversations.close()


async def _ask_otherwise(
    probe: Probe, place: Place, endpoint: Endpoint, limit: float, keyring: Keyring | None
) -> str:
    family, to = place
    kind = socket.SOCK_STREAM if endpoint.proto is Proto.TCP else socket.SOCK_DGRAM
    sock = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    try:
        async with asyncio.timeout(limit):
            if endpoint.tls is not None:
                why = await _ask_secretly(probe, sock, to, endpoint, keyring or Keyring())
            else:
                why = await _ask_datagram(probe, sock, to, endpoint)
    except TimeoutError:
        return f"no answer within {limit:g} s"
    except OSError as error:
        # uvloop's errors have only the number, and the reason of a TLS error is in the text.
        said = isinstance(error, ConnectionAbortedError) and error.strerror
        return said or os.strerror(error.errno).lower() if error.errno else str(error)
    finally:
        sock.close()
    return printable(why, WORDS) if why else ""


def _is_its_own(endpoint: Endpoint, to: str | tuple[str, int]) -> bool:
    """Tell whether clients are led to `to`, too, and not only a probe, to a port that `health`
    names.
    """
    address = endpoint.address
    return not isinstance(address, Inet) or isinstance(to, str) or to[1] in address.ports


async def _ask_secretly(
    probe: Probe,
    sock: socket.socket,
    to: str | tuple[str, int],
    endpoint: Endpoint,
    keyring: Keyring,
) -> str:
    """See `_ask`; a PROXY header is sent inside TLS, as for a session."""
    from ambassador.probes.secret import Secret  # noqa: PLC0415 (only where TLS is spoken)

    await asyncio.get_running_loop().sock_connect(sock, to)
    header = b""
    if endpoint.proxy:
        from ambassador.core.proxy.writing import write_local  # noqa: PLC0415

        header = write_local(endpoint.proxy, sock.getsockname(), sock.getpeername())
    secret = Secret(keyring, sock, endpoint, str(to[0]))
    try:
        await secret.open()
        if said := header + probe.question(host_of(endpoint)):
            await secret.send(said)
        answer = replied = b""
        while (why := probe.judge(answer)) is None:
            if isinstance(probe, Dialogue) and (more := probe.reply(answer)[len(replied) :]):
                await secret.send(more)
                replied += more
            piece = await secret.receive(_PIECE)
            answer += piece
            if not piece or len(answer) > _MOST:
                return "ends before it has answered" if not piece else "answers without end"
        return why
    finally:
        secret.close()


async def _ask_datagram(
    probe: Probe, sock: socket.socket, to: str | tuple[str, int], endpoint: Endpoint
) -> str:
    """Send again each second, since datagrams are lost. If no process is there, the socket has an
    error.
    """
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, to)
    while True:
        await loop.sock_sendall(sock, probe.question(host_of(endpoint)))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_AGAIN):
                answer = await loop.sock_recv(sock, _MOST)
                return probe.judge(answer) or ""


def host_of(endpoint: Endpoint) -> str:
    """Return the host of `endpoint` as it is written, empty for a path."""
    return endpoint.address.host if isinstance(endpoint.address, Inet) else ""
