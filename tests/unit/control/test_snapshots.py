"""What all sources say together, and which of them is wrong."""

import pytest

from ambassador.control.snapshots import SnapshotReader
from ambassador.errors import ConfigError, Problem, SourceError
from ambassador.model import Endpoint, Inet, Route
from tests.wishes import Wish


def route(name, port):
    return Route(name, Inet("", port), (Endpoint(Inet("h", port)),), alias=name, origin=name)


@pytest.fixture
def sources():
    return Wish(route("a", 1), name="first"), Wish(route("b", 2), name="second")


def errors(reading):
    return {view.name: view.error for view in reading.views}


def test_the_source_that_is_wrong_has_the_error_and_the_others_have_none(sources):
    reading = SnapshotReader(sources)
    reading.good(reading.read()[1])
    assert errors(reading) == {"first": "", "second": ""}
    sources[0].error = SourceError("is away")
    with pytest.raises(SourceError) as caught:
        reading.read()
    reading.bad(caught.value)
    assert errors(reading) == {"first": "is away", "second": ""}
    sources[0].error, sources[1].error = None, ConfigError(Problem("X", "is wrong"))
    with pytest.raises(ConfigError) as caught:
        reading.read()
    reading.good(())
    reading.bad(caught.value)
    assert errors(reading) == {"second": "X: is wrong"}


def test_what_is_good_again_has_no_error(sources):
    reading = SnapshotReader(sources)
    reading.good(reading.read()[1])
    reading.bad(SourceError("is away"))
    reading.good(reading.read()[1])
    assert errors(reading) == {"first": "", "second": ""}


def test_a_later_source_gives_way(sources):
    sources[1].routes += (route("a", 3),)
    desired, (_, second) = SnapshotReader(sources).read()
    assert [(one.name, one.listen.port) for one in desired.routes] == [("a", 1), ("b", 2)]
    assert second.notes == ("a is not used: a comes before it",)
