"""The table of presence, admin and health: who gets new sessions, who keeps old ones."""

from dataclasses import replace
from itertools import product

import pytest

from ambassador.core.usable import is_lost, keeps, spared, usable, working
from ambassador.model import Admin, Endpoint, Health, Inet

# (admin, health): gets new sessions, keeps those it has
TABLE = {
    (Admin.READY, Health.UNKNOWN): (True, True),
    (Admin.READY, Health.HEALTHY): (True, True),
    (Admin.READY, Health.UNHEALTHY): (False, False),
    (Admin.DRAIN, Health.UNKNOWN): (False, True),
    (Admin.DRAIN, Health.HEALTHY): (False, True),
    (Admin.DRAIN, Health.UNHEALTHY): (False, False),
    (Admin.MAINT, Health.UNKNOWN): (False, False),
    (Admin.MAINT, Health.HEALTHY): (False, False),
    (Admin.MAINT, Health.UNHEALTHY): (False, False),
}


def test_the_table_is_whole():
    assert set(TABLE) == set(product(Admin, Health))


@pytest.mark.parametrize(("admin", "health"), TABLE, ids=str)
def test_each_cell(admin, health):
    endpoint = Endpoint(Inet("db", 1), admin=admin, health=health)
    assert (usable(endpoint), keeps(endpoint)) == TABLE[admin, health]


def test_where_all_are_unhealthy_panic_spares_them_and_no_other():
    bad = Endpoint(Inet("a", 1), health=Health.UNHEALTHY)
    good = Endpoint(Inet("b", 1), health=Health.HEALTHY)
    away = Endpoint(Inet("c", 1), admin=Admin.MAINT, health=Health.UNHEALTHY)
    assert spared((bad, good), True) == (bad, good)
    assert spared((bad, bad), False) == (bad, bad)
    lost = spared((bad, away), True)
    assert [(usable(one), keeps(one)) for one in lost] == [(True, True), (False, False)]
    assert spared((*lost, good), True) == (bad, away, good)
    assert spared((), True) == ()


def test_addresses_that_are_down_are_passed_over_unless_nothing_is_left_or_all_are_spared():
    one = Endpoint(Inet("db", 7000), down=("10.0.0.2", "10.0.0.3#8000"))
    assert working(one, ("10.0.0.1", "10.0.0.2")) == ["10.0.0.1"]
    assert working(one, ("10.0.0.2",)) == ("10.0.0.2",)
    assert is_lost(one, ("10.0.0.2", 7000))
    assert is_lost(one, ("10.0.0.3", 8000))
    assert not is_lost(one, ("10.0.0.3", 7000))
    assert not is_lost(one, ("10.0.0.1", 7000))
    everything = replace(one, health=Health.UNHEALTHY, spared=True)
    assert working(everything, ("10.0.0.2",)) == ("10.0.0.2",)
    assert not is_lost(everything, ("10.0.0.2", 7000))
