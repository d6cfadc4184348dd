"""What HAProxy's proxy-protocol.txt says of a header, byte by byte."""

import pytest

from ambassador.core.proxy.crc32c import crc32c
from ambassador.core.proxy.header import SIGNATURE, Header
from ambassador.core.proxy.reading import BadHeaderError, read
from ambassador.model import Reason

V4 = Header(("10.1.2.3", 40312), ("192.168.0.11", 443))
V6 = Header(("fd00::9", 1), ("2001:db8::1", 65535))
INET = bytes([10, 1, 2, 3, 192, 168, 0, 11]) + (40312).to_bytes(2) + (443).to_bytes(2)


def binary(family=0x11, block=INET, command=0x21, length=None):
    size = (len(block) if length is None else length).to_bytes(2)
    return SIGNATURE + bytes((command, family)) + size + block


def tlv(kind, value):
    return bytes((kind,)) + len(value).to_bytes(2) + value


def summed(block, *, wrong=0):
    header = binary(block=block + tlv(0x03, bytes(4)))
    return header[:-4] + (crc32c(header) ^ wrong).to_bytes(4)


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (b"PROXY TCP4 10.1.2.3 192.168.0.11 40312 443\r\n", V4),
        (b"PROXY TCP6 FD00::9 2001:db8::1 1 65535\r\n", V6),
        (b"PROXY TCP4 0.0.0.0 255.255.255.255 0 0\r\n",
         Header(("0.0.0.0", 0), ("255.255.255.255", 0))),
        (b"PROXY UNKNOWN\r\n", Header()),
        (b"PROXY UNKNOWN whatever stands here\r\n", Header()),
        (binary(), V4),
        (binary(command=0x20), Header()),  # LOCAL: the block is to be skipped
        (binary(0, b"", 0x20), Header()),
        (binary(0, b""), Header()),  # of an unspecified family
        (binary(0, b"\x01whatever"), Header()),
        (binary(0x12), Header()),  # datagrams, which a connection does not carry
        (binary(0x31, bytes(216)), Header()),  # from a unix socket
        (binary(block=INET + tlv(0x04, b"padding")), V4),
        (binary(block=INET + tlv(0xE0, b"")), V4),
        (summed(INET), V4),
    ],
)  # fmt: skip
def test_a_header_is_read_and_what_follows_it_is_left(data, header):
    assert read(data) == (header, len(data))
    assert read(data + b"PING\r\n") == (header, len(data))


@pytest.mark.parametrize("data", [b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n", summed(INET)])
def test_any_part_of_a_header_is_waited_for(data):
    assert [read(data[:size]) for size in range(len(data))] == [None] * len(data)


def test_what_is_said_beside_the_addresses_is_kept():
    block = INET + tlv(0x01, b"h2") + tlv(0x02, b"db.example") + tlv(0x05, b"x" * 128)
    header, _ = read(summed(block + tlv(0x20, b"\x01\0\0\0\0")))
    assert (header.alpn, header.authority, header.unique_id) == (b"h2", b"db.example", b"x" * 128)
    assert header.tls == b"\x01\0\0\0\0"


MALFORMED, LONG, CRC = Reason.PROXY_MALFORMED, Reason.PROXY_LONG, Reason.PROXY_CRC


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", MALFORMED),
        (b"*", MALFORMED),
        (b"proxy ", MALFORMED),
        (b"PROXYTCP4", MALFORMED),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\n", MALFORMED),  # no LF alone
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 9\r10", MALFORMED),  # no CR alone
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\r\n", MALFORMED),
        (b"PROXY TCP4  1.2.3.4 5.6.7.8 9 10\r\n", MALFORMED),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 9\r\n", MALFORMED),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10 11\r\n", MALFORMED),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 09 10\r\n", MALFORMED),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 9 65536\r\n", MALFORMED),
        (b"PROXY TCP4 1.2.3.04 5.6.7.8 9 10\r\n", MALFORMED),
        (b"PROXY TCP4 1.2.3 5.6.7.8 9 10\r\n", MALFORMED),
        (b"PROXY TCP4 fd00::1 fd00::2 9 10\r\n", MALFORMED),
        (b"PROXY TCP6 1.2.3.4 5.6.7.8 9 10\r\n", MALFORMED),
        (b"PROXY TCP6 ::ffff:1.2.3.4 ::1 9 10\r\n", MALFORMED),
        (b"PROXY TCP6 fe80::1%eth0 ::1 9 10\r\n", MALFORMED),
        (b"PROXY TCP5 1.2.3.4 5.6.7.8 9 10\r\n", MALFORMED),
        (b"PROXY UNKNOWNS\r\n", MALFORMED),
        (b"PROXY TCP4 \xff.2.3.4 5.6.7.8 9 10\r\n", MALFORMED),
        (b"PROXY UNKNOWN ".ljust(107, b"f"), LONG),
        (b"PROXY UNKNOWN ".ljust(106, b"f") + b"\r\n", LONG),
        (binary(command=0x11), MALFORMED),  # another version
        (SIGNATURE + b"\x22", MALFORMED),  # a command that is none
        (SIGNATURE + b"\x21\x41", MALFORMED),  # a family, and a transport
        (SIGNATURE + b"\x21\x13", MALFORMED),
        (binary(block=INET[:-1]), MALFORMED),
        (binary(0x21, INET), MALFORMED),
        (binary(length=4081), LONG),
        (binary(block=INET + b"\x02\0"), MALFORMED),
        (binary(block=INET + b"\x02\0\x05abcd"), MALFORMED),
        (binary(block=INET + tlv(0x03, b"123")), MALFORMED),
        (binary(block=INET + tlv(0x03, bytes(4)) * 2), MALFORMED),
        (binary(block=INET + tlv(0x05, b"x" * 129)), MALFORMED),
        (summed(INET, wrong=1), CRC),
        (summed(INET + tlv(0x02, b"a"), wrong=1 << 31), CRC),
    ],
)
def test_what_is_no_header_is_refused(data, reason):
    with pytest.raises(BadHeaderError) as caught:
        read(data)
    assert caught.value.reason is reason


def test_the_longest_headers_are_taken():
    line = b"PROXY UNKNOWN ".ljust(105, b"f") + b"\r\n"
    block = INET + tlv(0x04, bytes(4096 - 16 - len(INET) - 3))
    assert read(line) == (Header(), 107)
    assert read(binary(block=block)) == (V4, 4096)


def test_a_header_that_was_changed_anywhere_is_refused_or_says_the_same():
    good = summed(INET + tlv(0x02, b"db.example"))
    for place in set(range(len(good))) - {
        len(good) - 7
    }:  # the type of the checksum: then there is none
        changed = good[:place] + bytes((good[place] ^ 0x10,)) + good[place + 1 :]
        try:
            found = read(changed)
        except BadHeaderError:
            continue
        assert found is None or found[0] == Header()  # longer than it is, or for nobody
