"""What was decided last is read as it was written, and nonsense is told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.follow.memory import Memory, decode, encode, followed
from ambassador.model import Follow, Inet, Proto, Route
from tests.property import texts

places = texts.inets(texts.addresses, 1)
memories = st.dictionaries(
    st.tuples(st.just(Proto.TCP), texts.listens),
    st.builds(Memory, st.text(max_size=9), places, st.text(max_size=9)),
    max_size=3,
)


@given(memories)
def test_it_is_read_as_it_was_written(memories):
    assert decode(encode(memories)) == memories


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"version": 2}',
        '{"version": 1, "routes": [{}]}',
        '{"version": 1, "routes": [{"proto": "tcp", "listen": ":1", "primary": "x"}]}',
        '{"version": 1, "routes": [{"proto": "tcp", "listen": ":1", "primary": "x:1-3", "of": "",'
        ' "data": ""}]}',
    ],
)
def test_nonsense_is_a_value_error(text):
    with pytest.raises(ValueError):
        decode(text)


def test_it_is_a_memory_of_the_authority():
    follow = Follow("sentinel", (Inet("s1", 26379),), "m")
    assert followed(Route("r", Inet("", 1), (), follow=follow)) == "sentinel://s1:26379/m"
