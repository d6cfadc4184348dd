"""An ambassador of no fleet, and what it takes to be in one."""

import pytest

from ambassador.app.alone import Alone, in_fleet, missing, seen
from ambassador.errors import ConfigError
from ambassador.model import Inet, Route
from ambassador.settings import Settings

PLAIN = Route("a", Inet("", 1), ())


def test_without_etcd_a_route_is_as_it_is_written():
    fleet = in_fleet(Settings(), (), None)
    assert isinstance(fleet, Alone)
    assert fleet.placed(PLAIN) is PLAIN
    assert seen(Settings(), ())(PLAIN) is PLAIN


@pytest.mark.parametrize("setting", ["AMBASSADOR_FLEET=/a", "AMBASSADOR_ANNOUNCE=a=tcp://b:1"])
def test_what_asks_for_etcd_without_one_is_told(setting):
    name, _, text = setting.partition("=")
    settings = Settings.from_environ({name: text})
    with pytest.raises(ConfigError, match=f"{name}: is set, and AMBASSADOR_ETCD is not"):
        in_fleet(settings, (), None)


def test_a_service_without_etcd_is_told_with_where_it_is_written():
    route = Route("a", Inet("", 1), (), service="b", origin="environment variable A_PORT_1_TCP")
    with pytest.raises(ConfigError, match=r"endpoints of a \(environment variable A_PORT_1_TCP\)"):
        Alone().placed(route)


def test_a_package_that_is_not_there_is_named_with_the_extra_that_has_it():
    assert "needs h11: pip install 'ambassador[etcd]'" in str(missing(ImportError(name="h11")))
