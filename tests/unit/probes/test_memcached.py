import pytest

from tests.answering import saying


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"VERSION 1.6.21\r\n", ""),
        (b"ERROR\r\n", "answers version with 'ERROR'"),
    ],
)
def test_what_else_may_be_said(verdict, said, why):
    with saying(said) as port:
        found = verdict("memcached", port)
        assert why in found
        assert bool(why) == bool(found)
