"""Who is let in over TCP: files of the page are no secret, all else asks for the token."""

import pytest

from ambassador.admin.tcp import api_door
from ambassador.model import Inet
from tests.ports import free_port
from tests.unit.admin.web import request


@pytest.fixture
def port(looping, reconciler):
    port = free_port()
    looping.do(reconciler.start())
    door = looping.call(api_door, Inet("127.0.0.1", port), reconciler, "0123456789abcdef")
    looping.do(door.start())
    yield port
    looping.do(door.stop())


def test_files_of_the_page_are_for_everybody_and_nothing_else_is(port):
    assert b'name="door" content="token"' in request(port, "/").body
    assert request(port, "/page/main.js").status == 200
    for path in ("/v1/look", "/v1/status", "/v1/numbers?route=redis", "/openapi.json", "/page"):
        assert request(port, path).status == 401
    assert request(port, "/", "POST", {}).status == 401
