"""A loop, and one question to a program at a port of this host."""

from __future__ import annotations

import socket

import pytest

from ambassador.model import Endpoint, Inet
from ambassador.probes.exchange import NoAnswerError, ask
from ambassador.probes.table import probe_of
from tests.loops import LoopThread


@pytest.fixture
def looping():
    looping = LoopThread()
    yield looping
    looping.close()


@pytest.fixture
def verdict(looping):
    """Return why the program at a port does not work, nothing when it does."""

    def asking(health, port, limit=5.0):
        place = (socket.AF_INET, ("127.0.0.1", port)) if isinstance(port, int) else port
        try:
            looping.do(ask(probe_of(health), place, Endpoint(Inet("localhost", 1)), limit))
        except NoAnswerError as error:
            return str(error)
        return ""

    return asking
