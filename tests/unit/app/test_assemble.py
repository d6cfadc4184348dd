"""What is read, and by which loop."""

import asyncio

import pytest
import uvloop

from ambassador.app import assemble, new_loop, sources
from ambassador.errors import ConfigError
from ambassador.settings import Settings


def test_what_was_said_outright_is_read_first():
    read = sources(Settings(), {"REDIS_PORT_6379_TCP": "tcp://redis:6379"}, ["h", "80"])
    assert [source.name for source in read] == ["environment", "hosts"]
    assert [route.name for route in read[0].read().routes] == ["h"]


def test_a_pod_is_known_by_its_service_account(monkeypatch, tmp_path):
    monkeypatch.setattr(assemble, "_SERVICE_ACCOUNT", tmp_path)
    environment, _ = sources(Settings(), {"REDIS_PORT_6379_TCP": "tcp://redis:6379"}, ())
    with pytest.raises(ConfigError, match="this is a pod"):
        environment.read()
    environment, _ = sources(Settings(routes=("redis",)), {"REDIS_PORT_1_TCP": "tcp://r:1"}, ())
    assert len(environment.read().routes) == 1


@pytest.mark.parametrize(
    ("name", "kind"), [("uvloop", uvloop.Loop), ("asyncio", asyncio.SelectorEventLoop)]
)
def test_the_loop_is_the_one_that_was_asked_for(name, kind):
    loop = new_loop(Settings(loop=name))
    assert isinstance(loop, kind)
    loop.close()
