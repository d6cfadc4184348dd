"""The table of presence, admin and health: who gets new sessions, who keeps old ones."""

from itertools import product

import pytest

from ambassador.core.usable import keeps, spared, usable
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
