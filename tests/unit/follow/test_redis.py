"""What INFO of a Redis says."""

import pytest

from ambassador.core.follow.lineage import Fact
from ambassador.core.follow.replica import UNKNOWN
from ambassador.core.follow.replica import Fact as Replica
from ambassador.follow.channel import Denied, Silence
from ambassador.follow.redis import fact, replica
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


REPLICA = "role:slave\r\nmaster_replid:aa\r\nmaster_link_status:{}\r\n{}:{}\r\n"
IO, DOWN = "master_last_io_seconds_ago", "master_link_down_since_seconds"


@pytest.mark.parametrize(
    ("link", "key", "seconds", "wanted"),
    [
        ("up", IO, 3, Replica(True, True, 3.0)),
        ("down", DOWN, 40, Replica(True, False, 40.0)),
        ("down", DOWN, -1, Replica(True, False, UNKNOWN)),  # never in step since its start
    ],
)
def test_how_far_a_replica_is_behind(link, key, seconds, wanted):
    assert replica("PONG", REPLICA.format(link, key, seconds)) == wanted


def test_a_primary_is_no_replica_and_one_that_loads_says_nothing():
    assert not replica("PONG", INFO).replica
    with pytest.raises(Silence, match="loads its data"):
        replica(Refused("LOADING x"), INFO)
