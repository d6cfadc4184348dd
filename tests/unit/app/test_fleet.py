"""The part of a fleet in one ambassador: tests/scenario/test_fleet.py has it whole."""

import re

import pytest

from ambassador.app.fleet import Fleet, access, identity, keys_of
from ambassador.core.fleet.keys import NAME
from ambassador.errors import ConfigError, SourceError
from ambassador.fleet.source import FleetSource
from ambassador.settings import Settings
from tests.etcd import etcd

pytestmark = pytest.mark.asyncio
ROUTE = {"schema": 1, "listen": ":6379", "endpoints": ["tcp://10.0.0.1:6379"]}


@pytest.fixture(scope="module")
def member():
    with etcd() as found:
        yield found


def settings(url, **more):
    environ = {f"AMBASSADOR_{name.upper()}": text for name, text in more.items()}
    return Settings.from_environ({"AMBASSADOR_ETCD": url, **environ})


async def begun(*what):
    fleet = Fleet(*what, None)
    try:
        await fleet.start()
    finally:
        await fleet.close()
    return fleet


async def test_routes_come_from_under_the_prefix(member):
    source = FleetSource()
    member.put("/f1/routes/redis", ROUTE)
    await begun(settings(member.url, fleet="/f1"), source)
    assert [route.name for route in source.routes] == ["redis"]


async def test_a_prefix_with_nothing_under_it_is_told_with_what_to_put_there(member):
    with pytest.raises(ConfigError, match="etcd has no routes or services under /f2/") as caught:
        await begun(settings(member.url, fleet="/f2"), FleetSource())
    assert "etcdctl put /f2/routes/redis" in caught.value.problems[0].example


async def test_without_a_prefix_only_services_are_looked_at(member):
    await begun(settings(member.url), None)
    assert keys_of(settings(member.url)).prefix == "/ambassador"


async def test_what_is_remembered_is_enough_where_etcd_is_away(member, tmp_path):
    source, folder = FleetSource(), str(tmp_path / "state")
    member.put("/f3/routes/redis", ROUTE)
    await begun(settings(member.url, fleet="/f3", state=folder), source)
    again = FleetSource()
    await begun(settings("http://127.0.0.1:1", fleet="/f3", state=folder), again)
    assert again.routes == source.routes
    with pytest.raises(SourceError, match="connection refused"):
        await begun(settings("http://127.0.0.1:1", fleet="/f3"), FleetSource())


async def test_the_name_of_a_user_may_stand_in_a_file(tmp_path):
    file = tmp_path / "user"
    file.write_text("ann\n")
    assert access(settings("http://h:1", etcd_user=f"@{file}")).user == "ann"
    assert access(settings("http://h:1", etcd_user="ann")).user == "ann"
    with pytest.raises(ConfigError, match="AMBASSADOR_ETCD_USER: cannot be read"):
        access(settings("http://h:1", etcd_user="@/none"))


async def test_each_process_has_a_name_of_its_own_that_can_be_part_of_a_key():
    assert len({identity() for _ in range(100)}) == 100
    assert NAME.fullmatch(identity())
    assert re.search(r"-[0-9a-f]{8}$", identity())
