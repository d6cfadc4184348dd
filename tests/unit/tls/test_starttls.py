import struct

import pytest

from ambassador.tls.dialects import SSL_REQUEST, MysqlDialect, PostgresDialect
from ambassador.tls.starttls import STARTS


def walk(service, *heard):
    """Tell the service's start what was heard, piece by piece; return all that it said."""
    start = STARTS[service]()
    told = said = b""
    over = False
    for piece in ("", *heard):
        told += piece.encode("latin1")
        said, over = start.step(told)
    return start, said, over


def test_postgresql_is_asked_and_has_to_consent():
    assert walk("postgres")[1:] == (SSL_REQUEST, False)
    assert walk("postgres", "S")[2]
    for refusal, words in (("N", "does not do TLS"), ("E...", "does not do TLS"), ("x", "like")):
        with pytest.raises(OSError, match=words):
            walk("postgres", refusal)
    with pytest.raises(OSError, match="after its consent"):
        walk("postgres", "Sinjected")


def test_smtp_is_asked_line_by_line():
    start, said, over = walk(
        "smtp", "220 mail", " ready\r\n", "250-mail\r\n250 STARTTLS\r\n", "220 go\r\n"
    )
    assert (said, over) == (b"EHLO ambassador\r\nSTARTTLS\r\n", True)
    assert start.prelude == b"220 mail ready\r\n"
    assert not walk("smtp", "220 x\r\n", "250-mail\r\n")[2]
    with pytest.raises(OSError, match="does not do TLS"):
        walk("smtp", "220 x\r\n", "250 mail\r\n")
    with pytest.raises(OSError, match="554"):
        walk("smtp", "554 no\r\n")
    with pytest.raises(OSError, match="after its consent"):
        walk("smtp", "220 x\r\n", "250 STARTTLS\r\n", "220 go\r\n250 injected\r\n")


def greeting(able):
    body = b"\x0a11.4.2\0" + bytes(4) + b"12345678\0" + struct.pack("<H", able) + b"rest"
    return struct.pack("<I", len(body))[:3] + b"\0" + body


def test_mysql_greets_and_its_client_hears_of_no_tls():
    text = greeting(0xFFFF).decode("latin1")
    start, said, over = walk("mysql", text[:7], text[7:])
    assert (said, over, start.later) == (b"", True, True)
    assert start.prelude == greeting(0xFFFF & ~0x800)
    with pytest.raises(OSError, match="does not do TLS"):
        walk("mysql", greeting(0xF7FF).decode("latin1"))
    with pytest.raises(OSError, match="too many connections"):
        walk("mysql", "\x1d\0\0\0\xff\x10\x04#08004too many connections")
    with pytest.raises(OSError, match="like MySQL"):
        walk("mysql", "HTTP/1.1 400 Bad Request")


class Sock:
    def __init__(self):
        self.kept = self.raw = b""
        self.started = False

    def keep(self, data):
        self.kept += data

    def send_raw(self, data):
        self.raw += data

    def start(self):
        self.started = True


@pytest.mark.parametrize("step", [1, 3, 8, 100])
def test_a_question_for_tls_of_libpq_is_answered_with_no(step):
    sock, dialect, passed = Sock(), PostgresDialect(), b""
    gss = struct.pack("!II", 8, 80877104)
    said = gss + SSL_REQUEST + b"\0\0\0\x10startup..."
    for place in range(0, len(said), step):
        piece = said[place : place + step]
        passed += dialect.said(piece, sock)
    assert sock.kept == b"NN"
    assert passed == b"\0\0\0\x10startup..."


@pytest.mark.parametrize("step", [1, 7, 100])
def test_a_password_bound_to_tls_is_not_offered_to_a_client_in_clear(step):
    dialect, passed = PostgresDialect(), b""
    offer = b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"
    told = b"v\0\0\0\x0c" + bytes(8) + b"R" + struct.pack("!I", len(offer) + 4) + offer + b"Z..."
    for place in range(0, len(told), step):
        piece = told[place : place + step]
        passed += piece if dialect.over else dialect.heard(piece, Sock())
    left = b"\0\0\0\x0aSCRAM-SHA-256\0\0"
    start = b"v\0\0\0\x0c" + bytes(8) + b"R" + struct.pack("!I", len(left) + 4) + left
    assert passed == start + b"Z..."


def packet(number, body):
    return struct.pack("<I", len(body))[:3] + bytes([number]) + body


def test_packets_of_mysql_count_one_further_until_it_has_decided():
    sock, dialect = Sock(), MysqlDialect()
    answer = packet(1, struct.pack("<I", 0x0F) + bytes(28) + b"root\0")
    assert dialect.said(answer[:9], sock) == b""
    passed = dialect.said(answer[9:], sock)
    able = struct.pack("<I", 0x80F)
    assert sock.raw == packet(1, able + bytes(28))
    assert sock.started
    assert passed == packet(2, able + bytes(28) + b"root\0")
    asked = packet(3, b"\xfeswitch")
    assert dialect.heard(asked[:3], sock) == b""
    assert dialect.heard(asked[3:], sock) == packet(2, b"\xfeswitch")
    assert dialect.said(packet(3, b"scramble"), sock) == packet(4, b"scramble")
    assert dialect.heard(packet(5, b"\0ok") + b"next", sock) == packet(4, b"\0ok") + b"next"
    assert dialect.over
