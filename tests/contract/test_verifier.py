"""What ports.Verifier promises, of the one that connects."""

from __future__ import annotations

import asyncio
import socket

import pytest

from ambassador.errors import NotVerifiedError
from ambassador.model import Endpoint, Inet, Route
from ambassador.probes.verifier import ConnectVerifier
from tests.names import StaticResolver
from tests.ports import free_port


@pytest.fixture(params=[ConnectVerifier])
def verifier(request):
    resolver = StaticResolver(here=["127.0.0.1"], both=["127.0.0.1", "127.0.0.2"])
    return request.param(resolver)


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def verify(verifier, *endpoints):
    route = Route("r", Inet("", 1), tuple(endpoints))
    asyncio.run(verifier.verify(route, route.endpoints))


def test_it_returns_when_every_endpoint_has_answered(verifier, port):
    verify(verifier)
    verify(verifier, Endpoint(Inet("here", port)), Endpoint(Inet("127.0.0.1", port)))


@pytest.mark.parametrize("host", ["127.0.0.1", "here", "unknown"])
def test_one_that_does_not_answer_is_named_with_the_reason(verifier, port, host):
    silent = Endpoint(Inet(host, free_port()))
    with pytest.raises(NotVerifiedError) as raised:
        verify(verifier, Endpoint(Inet("here", port)), silent)
    text = f"tcp://{host}:{silent.address.port}"
    assert str(raised.value).startswith(text)
    assert len(str(raised.value)) > len(text) + 10


def test_each_address_of_a_name_has_to_answer(verifier, port):
    with pytest.raises(NotVerifiedError, match=r"127\.0\.0\.2"):
        verify(verifier, Endpoint(Inet("both", port)))
