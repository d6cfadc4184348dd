"""How the last change is taken back: as a move where endpoints change, else at once."""

import pytest

from ambassador.core.commands import Drain, Hold, Move, Remove, Undo
from ambassador.core.decide import decide
from ambassador.core.history import noted
from ambassador.core.moving import move
from ambassador.core.situation import Situation
from ambassador.core.undoing import undo
from ambassador.core.wish import effective
from ambassador.errors import ConfigError, ConflictError, NotFoundError
from ambassador.model import Admin, Desired, Endpoint, Inet, Proto, Route

A, B, C = (Endpoint(Inet(f"db{name}", 6379)) for name in "abc")
REDIS = Route("redis", Inet("", 6379), (A, B), alias="redis", port=6379, origin="var")
DNS = Route("dns", Inet("", 53), (Endpoint(Inet("ns", 53), Proto.UDP),), Proto.UDP, alias="dns")
DESIRED = Desired((REDIS, DNS))


class Operator:
    """Makes changes one after the other, and knows what was changed."""

    def __init__(self):
        self.wishes, self.history = {}, ()

    @property
    def now(self):
        routes = effective(DESIRED, self.wishes).routes
        return Situation(DESIRED, routes, self.wishes, "ann", 1.0)

    def do(self, command):
        decided = move(self.now, command).after if isinstance(command, Move) else decide(
            self.now, command
        ).wishes  # fmt: skip
        self.change(decided)
        return self

    def change(self, wishes, undone=0):
        self.history = noted(
            self.history, self.wishes, wishes, who="ann", when=1.0, what="", undone=undone
        )
        self.wishes = wishes

    def plan(self, *args, **kwargs):
        return undo(self.now, Undo(*args, **kwargs), self.history)


def test_a_move_is_taken_back_by_a_move():
    operator = Operator().do(Move("redis", ("tcp://dbc:6379",)))
    it = operator.plan("redis", existing="cut")
    assert it.move is not None
    assert (it.move.endpoints, it.move.asked) == ((A, B), (A, B))
    assert str(it.move.existing.fate) == "cut"
    (between,) = it.move.between.values()
    assert between.endpoints == (A, B, C)
    assert between.admin == ((C.address, Admin.DRAIN),)
    assert it.move.after == it.wishes == {}


def test_with_hold_clients_wait_meanwhile():
    operator = Operator().do(Move("redis", ("tcp://dbc:6379",)))
    (between,) = operator.plan("redis", hold=True).move.between.values()
    assert between.hold is not None


def test_endpoints_that_were_drained_are_drained_again_and_not_asked():
    operator = Operator().do(Drain("redis", "dba:6379")).do(Move("redis", ("tcp://dbc:6379",)))
    it = operator.plan("redis")
    assert it.move.asked == (B,)
    (after,) = it.move.after.values()
    assert after.admin == ((A.address, Admin.DRAIN),)


def test_what_leads_nobody_elsewhere_is_wanted_otherwise():
    operator = Operator().do(Hold("redis"))
    it = operator.plan("redis")
    assert (it.move, it.wishes, it.number) == (None, {}, 1)
    assert it.message == "redis: change 1 taken back (redis held)"


def test_a_route_that_was_removed_comes_back():
    operator = Operator().do(Remove("redis"))
    it = operator.plan("redis")
    assert (it.move, it.wishes) == (None, {})


def test_one_after_the_other():
    operator = Operator().do(Hold("redis")).do(Move("redis", ("tcp://dbc:6379",)))
    it = operator.plan("redis")
    operator.change(it.wishes, it.number)
    assert it.number == 2
    it = operator.plan("redis")
    operator.change(it.wishes, it.number)
    assert (it.number, operator.wishes) == (1, {})
    with pytest.raises(ConflictError, match="no change that could be taken back"):
        operator.plan("redis")


def test_only_the_change_that_is_meant():
    operator = Operator().do(Hold("redis")).do(Move("redis", ("tcp://dbc:6379",)))
    assert operator.plan("redis", change=2).number == 2
    with pytest.raises(ConflictError, match="1 is not the last change of redis: that is 2, redis"):
        operator.plan("redis", change=1)


def test_what_makes_no_sense():
    operator = Operator().do(Hold("redis")).do(Hold("dns"))
    with pytest.raises(NotFoundError):
        operator.plan("redsi")
    with pytest.raises(ConfigError, match="above 0"):
        operator.plan("redis", timeout=0.0)
    with pytest.raises(ConfigError, match="kep"):
        operator.plan("redis", existing="kep")
    with pytest.raises(ConfigError, match="a UDP route has none"):
        operator.plan("dns", existing="cut")


def test_a_move_only_from_where_it_was_seen():
    now = Operator().do(Move("redis", ("tcp://dbc:6379",))).now
    there = ("tcp://dba:6379", "tcp://dbb:6379")
    with pytest.raises(ConflictError) as caught:
        move(now, Move("redis", ("tcp://dbd:6379",), from_=there))
    problem = caught.value.problems[0]
    assert problem.where == "from"
    assert "it leads to dbc:6379 now, redis moved to dbc:6379 by ann at 1970" in problem.what
    assert move(now, Move("redis", ("tcp://dbd:6379",), from_=("tcp://dbc:6379",))).endpoints
    with pytest.raises(ConfigError) as caught:
        move(now, Move("redis", ("tcp://dbd:6379",), from_=("ftp://x:1",)))
    assert caught.value.problems[0].where == "from"
