"""A socket that speaks TLS, beside one of Python's own."""

import contextlib
import socket

import pytest

from ambassador.model import Tls
from ambassador.tls.bundle import load
from ambassador.tls.contexts import for_clients, for_endpoint
from ambassador.tls.stream import TlsSocket
from tests.identities import Identities


@pytest.fixture
def both(tmp_path):
    """Two sockets that have met, the near one first."""
    big, client = (load(one) for one in Identities(tmp_path).pair())
    raw = socket.socketpair()
    far = TlsSocket(raw[0], for_clients(Tls(), big), accepts=True)
    near = TlsSocket(raw[1], for_endpoint(Tls(), client, named=False), accepts=False)
    while near.shaking or far.shaking:
        for one in (near, far):
            if one.shaking:
                one.handshake()
    with contextlib.closing(near), contextlib.closing(far):
        yield near, far


def test_an_end_that_has_come_is_an_end_though_ours_is_sent_before_it_is_read(both):
    near, far = both
    far.send(b"0123456789" * 10)
    far.shutdown(socket.SHUT_WR)
    assert near.recv_into(bytearray(90), 90) == 90  # the rest, and the end, are inside
    near.shutdown(socket.SHUT_WR)
    found = bytearray(200)
    assert near.recv_into(found) == 10
    assert near.has_more
    assert near.recv_into(found) == 0
    assert near.failure == ""


def test_bytes_go_both_ways_and_a_part_of_a_record_waits_for_the_rest(both):
    near, far = both
    for size in (1, 16 << 10, (16 << 10) + 1, 60_000):
        data, got, room = bytes(size), 0, bytearray(size)
        assert far.send(data) == size
        while got < size:
            with contextlib.suppress(BlockingIOError):
                got += near.recv_into(room, size)
            far.flush()
        with pytest.raises(BlockingIOError):
            near.recv_into(room)


def test_what_has_come_is_read_whole_however_little_room_there_is(both):
    near, far = both
    with contextlib.suppress(BlockingIOError):
        near.recv_into(bytearray(1))  # what it can be resumed by; from here on there are only bytes
    for room in (90, 1, 50, 200, 1):
        said = b""
        for size in (1, 100, 7):
            data = bytes([size]) * size
            far.send(data)
            said += data
        got, piece = b"", bytearray(room)
        while len(got) < len(said):
            got += piece[: near.recv_into(piece)]
        assert got == said
        with pytest.raises(BlockingIOError):
            near.recv_into(piece)
    far.send(b"last")
    far.shutdown(socket.SHUT_WR)
    piece = bytearray(4)
    assert near.recv_into(piece) == 4  # nothing is read after that, though an end is inside
    assert near.recv_into(piece) == 0
    assert near.failure == ""


class Noted:
    """Notes how much was written to `bio` at once."""

    def __init__(self, bio):
        self.bio = bio
        self.sizes = []

    @property
    def pending(self):
        return self.bio.pending

    def write(self, data):
        self.sizes.append(len(data))
        return self.bio.write(data)


def test_openssl_never_has_more_than_a_record_and_a_little_inside(both):
    """It keeps the memory that it has once needed, for as long as the session lasts."""
    near, far = both
    near._in = noted = Noted(near._in)
    for size in (64_000, 100_000, 64_000):
        data, got, room = bytes(size), 0, bytearray(size + 1)
        assert far.send(data) == size
        while got < size:
            with contextlib.suppress(BlockingIOError):
                got += near.recv_into(room)
            far.flush()
        with pytest.raises(BlockingIOError):
            near.recv_into(room)
    assert sum(noted.sizes) > 228_000
    assert max(noted.sizes) <= 17 << 10


def test_what_is_cut_off_is_no_end(both):
    near, far = both
    far.send(b"half")
    socket.SocketType.shutdown(far, socket.SHUT_WR)
    room = bytearray(10)
    assert near.recv_into(room) == 4
    with pytest.raises(ConnectionResetError, match="without close_notify"):
        near.recv_into(room)
    assert near.has_more


def test_who_speaks_no_tls_is_told_so(tmp_path):
    big, _ = (load(one) for one in Identities(tmp_path).pair())
    ours, theirs = socket.socketpair()
    with contextlib.closing(theirs):
        far = TlsSocket(ours, for_clients(Tls(), big), accepts=True)
        theirs.send(b"PING\r\n")
        with pytest.raises(ConnectionAbortedError, match="does not speak TLS"):
            far.handshake()
        far.close()
