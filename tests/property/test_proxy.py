"""PROXY headers: what is written is read, wherever it is cut, and nothing that comes is a crash."""

import os
import random

from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.proxy.header import MOST, SIGNATURE, Header
from ambassador.core.proxy.reading import BadHeaderError, read
from ambassador.core.proxy.writing import write
from tests.property import texts
from tests.property.spoilt import HEADERS, spoilt

FUZZED = int(os.environ.get("AMBASSADOR_FUZZED", "5000"))  # inputs

ports = st.integers(0, 65535)
v4 = st.tuples(st.ip_addresses(v=4).map(str), ports)
v6 = st.tuples(st.ip_addresses(v=6).filter(lambda one: one.ipv4_mapped is None).map(str), ports)
said = {name: st.binary(max_size=60) for name in ("alpn", "authority", "unique_id", "tls")}
headers = st.one_of(
    st.builds(Header, v4, v4, **said),
    st.builds(Header, v6, v6, **said),
    st.builds(Header, st.none(), st.none(), **said),
)


@given(headers, st.binary(max_size=20), st.data())
def test_a_header_survives_writing_and_is_waited_for_until_it_is_whole(header, rest, data):
    written = write(2, header)
    assert read(written + rest) == (header, len(written))
    assert read(written[: data.draw(st.integers(0, len(written) - 1))]) is None


@given(v4 | v6, v4 | v6)
def test_a_line_survives_writing(source, destination):
    line = write(1, Header(source, destination))
    found, size = read(line + b"x")
    assert size == len(line) <= 107
    same = (":" in source[0]) == (":" in destination[0])
    assert found == (Header(source, destination) if same else Header())


@given(st.binary(max_size=200) | texts.garbage.map(lambda text: text.encode("utf-8", "replace")))
def test_nonsense_is_refused_in_one_way_only(data):
    try:
        found = read(b"PROXY " + data) or read(SIGNATURE + data) or read(data)
    except BadHeaderError:
        return
    assert found is None or found[1] <= MOST


def test_whatever_becomes_of_a_header_on_its_way_is_no_crash():
    chance = random.Random(20261130)
    counts = {"read": 0, "waits": 0, "refused": 0}
    for _ in range(FUZZED):
        data = spoilt(chance.choice(HEADERS), HEADERS, chance, b"P")
        try:
            found = read(data)
        except BadHeaderError:
            counts["refused"] += 1
            continue
        counts["waits" if found is None else "read"] += 1
        assert found is None or 0 < found[1] <= min(MOST, len(data))
    assert min(counts.values()) > FUZZED / 50
