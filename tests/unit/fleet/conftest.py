"""One etcd for the tests of this room; each test has a prefix of its own."""

import itertools

import pytest

from ambassador.core.fleet.keys import Keys
from tests.etcd import etcd

_numbers = itertools.count()


@pytest.fixture(scope="module")
def member():
    with etcd() as found:
        yield found


@pytest.fixture
def keys():
    return Keys(f"/fleet{next(_numbers)}")
