"""What a member says of itself."""

import pytest

from ambassador.follow.resp import Refused
from ambassador.follow.watch import Role, judged


@pytest.mark.parametrize(
    ("ping", "role", "word"),
    [
        ("PONG", ["master", 0, []], Role.PRIMARY),
        ("PONG", ["slave", "h", 1, "connected", 0], Role.REPLICA),
        ("PONG", ["sentinel", ["m"]], Role.UNSURE),
        (Refused("LOADING Redis is loading"), ["master", 0, []], Role.LOADING),
        (Refused("BUSY Redis is busy"), ["master", 0, []], Role.PRIMARY),
        (Refused("NOAUTH x"), Refused("NOAUTH Authentication required."), Role.UNSURE),
        (Refused("ERR max number of clients reached"), None, Role.UNSURE),
    ],
)
def test_each_answer(ping, role, word):
    assert judged([ping, role]).role is word


def test_what_is_missing_is_named():
    assert "password_file" in judged(["PONG", Refused("NOAUTH x")]).why
    assert "+role" in judged(["PONG", Refused("NOPERM no permissions for 'role'")]).why
    assert "sentinel" in judged(["PONG", ["sentinel"]]).why
