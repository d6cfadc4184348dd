"""What INFO of a Redis says."""

import pytest

from ambassador.core.follow.lineage import Fact
from ambassador.follow.channel import Denied, Silence
from ambassador.follow.redis import fact
from ambassador.follow.resp import Refused

INFO = "# Replication\r\nrole:master\r\nmaster_replid:aa\r\nmaster_replid2:bb\r\n"


def test_the_lineage_is_read():
    assert fact("PONG", INFO) == Fact(True, "aa", "bb")
    assert fact("PONG", INFO.replace("master\r", "slave\r")) == Fact(False, "aa", "bb")
    assert fact(Refused("LOADING x"), INFO) == Fact(False, "", loading=True)


@pytest.mark.parametrize(
    ("info", "text"),
    [
        (Refused("NOPERM no"), "+info"),
        (Refused("NOAUTH no"), "password_file"),
        (Refused("ERR max number of clients reached"), "max number"),
        ("# Sentinel\r\nsentinel_masters:1\r\n", "it is a sentinel"),
    ],
)
def test_what_is_no_loss_of_the_role_is_said(info, text):
    with pytest.raises(Denied, match=text.replace("+", r"\+")):
        fact("PONG", info)


def test_what_makes_no_sense_is_silence():
    with pytest.raises(Silence):
        fact("PONG", None)
