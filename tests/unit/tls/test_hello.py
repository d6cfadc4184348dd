"""What OpenSSL itself says first, and what makes no sense."""

import random
import ssl

import pytest

from ambassador.tls.hello import is_whole, server_name


def hello(name: str | None) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


@pytest.mark.parametrize("name", ["redis.example.com", "a", "x" * 63 + ".example"])
def test_the_name_is_found(name):
    data = hello(name)
    assert server_name(data) == name
    assert is_whole(data)
    assert not is_whole(data[:-1])


@pytest.mark.parametrize(
    "data", [hello(None), hello("127.0.0.1"), b"", b"PING\r\n", b"\x16\x03\x01"]
)
def test_where_there_is_no_name_it_is_empty(data):
    assert server_name(data) == ""


def test_a_name_that_could_not_stand_in_a_log_is_none():
    data = hello("redis.example.com")
    for other in (b"redis.exampl\xe9.com", b"redis.exampl\n.com", b"redis exampl .com"):
        assert server_name(data.replace(b"redis.example.com", other)) == ""


def test_whatever_is_wrong_in_it_raises_nothing():
    data, chance = hello("redis.example.com"), random.Random(1)
    for _ in range(5000):
        wrong = bytearray(data[: chance.randrange(len(data) + 1)])
        for _ in range(chance.randrange(4)):
            if wrong:
                wrong[chance.randrange(len(wrong))] = chance.randrange(256)
        is_whole(bytes(wrong))
        server_name(bytes(wrong)).encode("ascii")
