import pytest

from ambassador.core.proxy.header import SIGNATURE, Header
from ambassador.core.proxy.reading import read
from ambassador.core.proxy.writing import place_of, tls_value, write, write_local

V4 = Header(("10.1.2.3", 40312), ("192.168.0.11", 443))
V6 = Header(("fd00::9", 1), ("2001:db8::1", 65535))


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (("10.1.2.3", 5), ("10.1.2.3", 5)),
        (("::ffff:10.1.2.3", 5, 0, 0), ("10.1.2.3", 5)),
        (("fe80::1%eth0", 5, 0, 2), ("fe80::1", 5)),
        ("/run/x.sock", None),
        ("", None),
        (None, None),
    ],
)
def test_an_address_is_told_as_the_format_has_it(address, place):
    assert place_of(address) == place


def test_the_first_version_is_a_line_that_can_be_read():
    assert write(1, V4) == b"PROXY TCP4 10.1.2.3 192.168.0.11 40312 443\r\n"
    assert write(1, V6) == b"PROXY TCP6 fd00::9 2001:db8::1 1 65535\r\n"
    assert write(1, Header()) == b"PROXY UNKNOWN\r\n"
    assert write(1, Header(V4.source, V6.destination)) == b"PROXY UNKNOWN\r\n"


@pytest.mark.parametrize("addresses", [V4, V6, Header()])
def test_the_second_version_says_all_and_ends_with_its_checksum(addresses):
    said = Header(
        addresses.source, addresses.destination, b"h2", b"db.example", b"id-1", b"\x01\0\0\0\x01"
    )
    data = write(2, said)
    assert data[-7:-4] == b"\x03\0\x04"
    assert read(data) == (said, len(data))


def test_a_probe_is_for_nobody():
    assert write_local(2, ("10.0.0.1", 5), ("10.0.0.2", 6)) == SIGNATURE + b"\x20\0\0\0"
    line = write_local(1, ("10.0.0.1", 5), ("10.0.0.2", 6))
    assert line == b"PROXY TCP4 10.0.0.1 10.0.0.2 5 6\r\n"
    assert write_local(1, "", "/run/x") == b"PROXY UNKNOWN\r\n"


def test_what_a_client_has_proved_over_tls_is_told():
    assert tls_value("TLSv1.3") == b"\x01\0\0\0\x01\x21\0\x07TLSv1.3"
    named = tls_value("TLSv1.3", "client-server")
    assert named == b"\x07\0\0\0\0\x21\0\x07TLSv1.3\x22\0\x0dclient-server"
