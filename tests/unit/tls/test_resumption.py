"""What a session is resumed by: given once to another ambassador, and each time to others."""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from ambassador.model import Endpoint, Inet, Route, Tls
from ambassador.tls.bundle import load
from ambassador.tls.contexts import ALPN, for_clients, for_endpoint
from ambassador.tls.hello import resumes
from ambassador.tls.keyring import Keyring
from ambassador.tls.stream import TlsSocket
from tests.identities import Identities


@dataclass
class Met:
    """Both ends of one connection, and what the near end can be resumed by."""

    near: TlsSocket
    far: TlsSocket
    given: list[ssl.SSLSession] = field(default_factory=list)


Meet = Callable[..., Met]


@pytest.fixture
def bundles(tmp_path):
    return [load(one) for one in Identities(tmp_path).pair()]


@pytest.fixture
def server(bundles):
    return for_clients(Tls(), bundles[0])


@pytest.fixture
def meet() -> Iterator[Meet]:
    """Return what connects two contexts, and exchanges a byte."""
    with contextlib.ExitStack() as stack:

        def connect(client, server, session=None) -> Met:
            raw = socket.socketpair()
            far = TlsSocket(raw[0], server, accepts=True)
            near = TlsSocket(raw[1], client, accepts=False, session=session)
            met = Met(near, far)
            near.remember = met.given.append
            for one in (near, far):
                stack.enter_context(contextlib.closing(one))
            while near.shaking or far.shaking:
                for one in (near, far):
                    if one.shaking:
                        one.handshake()
            assert far.send(b"x") == 1
            got = bytearray(10)
            assert near.recv_into(got) == 1
            assert near.send(b"y") == 1
            assert far.recv_into(got) == 1
            return met

        yield connect


def has_new_ticket(met: Met, session: ssl.SSLSession) -> bool:
    """Return whether the far end has given another than that of `session`: OpenSSL makes the id of
    a session from its ticket.
    """
    return bool(met.near._raw.session.id != session.id)


def test_another_ambassador_gets_one_ticket_and_uses_it_again(bundles, server, meet):
    client = for_endpoint(Tls(), bundles[1], named=False)
    first = meet(client, server)
    assert not first.near.resumed
    (session,) = first.given
    for _ in range(3):
        again = meet(client, server, session)
        assert again.near.resumed
        assert again.far.resumed
        assert again.far.names == first.far.names
        assert not has_new_ticket(again, session)
    assert server.num_tickets == 1  # for others


def test_a_ticket_of_a_process_that_has_ended_is_replaced(bundles, server, meet):
    client = for_endpoint(Tls(), bundles[1], named=False)
    (session,) = meet(client, server).given
    restarted = for_clients(Tls(), bundles[0])
    met = meet(client, restarted, session)
    assert not met.near.resumed
    (new,) = met.given
    assert meet(client, restarted, new).near.resumed


def test_others_get_a_ticket_each_time(bundles, server, meet):
    client = for_endpoint(Tls(), bundles[1], named=False)
    client.set_alpn_protocols(["redis"])
    (session,) = meet(client, server).given
    again = meet(client, server, session)
    assert again.near.resumed
    assert has_new_ticket(again, session)


@pytest.mark.parametrize("piece", [1, 100, 700])
def test_a_first_message_in_pieces_is_answered_all_the_same(bundles, server, piece):
    client = for_endpoint(Tls(), bundles[1], named=False)
    session = None
    for _ in range(2):
        inside, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        near = client.wrap_bio(inside, out, session=session)
        ours, theirs = socket.socketpair()
        with contextlib.closing(TlsSocket(ours, server, accepts=True)) as far, theirs:
            theirs.setblocking(False)
            met = False
            while not met or far.shaking:
                with contextlib.suppress(ssl.SSLWantReadError):
                    near.do_handshake()
                    met = True
                while data := out.read(piece):
                    theirs.send(data)
                    if far.shaking:
                        far.handshake()
                with contextlib.suppress(BlockingIOError):
                    inside.write(theirs.recv(1 << 16))
            assert far.resumed == near.session_reused == (session is not None)
            far.send(b"x")
            inside.write(theirs.recv(1 << 16))
            assert near.read(1) == b"x"
            session = near.session


def test_the_hello_tells_whether_a_session_is_resumed(bundles, server, meet):
    client = for_endpoint(Tls(), bundles[1], named=False)
    (session,) = meet(client, server).given
    for offered, expected in ((None, False), (session, True)):
        out = ssl.MemoryBIO()
        near = client.wrap_bio(ssl.MemoryBIO(), out, session=offered)
        with pytest.raises(ssl.SSLWantReadError):
            near.do_handshake()
        data = out.read()
        assert resumes(data, ALPN.encode()) is expected
        assert not resumes(data, b"redis")
        assert not resumes(data[:-1], ALPN.encode())
    assert not resumes(b"", ALPN.encode())


def test_a_session_of_ten_minutes_is_resumed_no_more(tmp_path):
    now = [time.time()]
    big, client = Identities(tmp_path).pair()
    far, near = Keyring(big), Keyring(client, clock=lambda: now[0])
    inet = Inet("127.0.0.1", 6379)
    endpoint = Endpoint(inet, tls=Tls())
    route = Route("redis", inet, (endpoint,), tls=Tls(), origin="a test")
    resumed = []
    for later in (0, 0, 599, 601, 602):
        raw = socket.socketpair()
        opening = near.open(raw[0], endpoint, "127.0.0.1")
        with contextlib.closing(far.accept(raw[1], route)) as accepted:
            while (tls := opening.go_on()) is None or accepted.shaking:
                if accepted.shaking:
                    accepted.handshake()
            with contextlib.closing(tls):
                accepted.send(b"x")
                assert tls.recv_into(bytearray(9)) == 1
                resumed.append(tls.resumed)
                now[0] = tls._raw.session.time + later
    assert resumed == [False, True, True, True, False]
