"""What all sources say together, and which of them is wrong."""

import pytest

from ambassador.control.snapshots import SnapshotReader
from ambassador.errors import ConfigError, LostRoutesError, PlaneError, Problem, SourceError
from ambassador.model import Endpoint, Inet, Route
from tests.wishes import Wish


def route(name, port):
    return Route(name, Inet("", port), (Endpoint(Inet("h", port)),), alias=name, origin=name)


@pytest.fixture
def sources():
    return Wish(route("a", 1), name="first"), Wish(route("b", 2), name="second")


def errors(reading):
    return {view.name: view.error for view in reading.views}


def read_badly(reading, kind, **named):
    with pytest.raises(kind) as caught:
        reading.read(**named)
    reading.bad(caught.value)


def test_the_source_that_is_wrong_has_the_error_and_the_others_have_none(sources):
    reading = SnapshotReader(sources)
    reading.good(reading.read()[1])
    assert errors(reading) == {"first": "", "second": ""}
    sources[0].error = SourceError("is away")
    read_badly(reading, SourceError)
    assert errors(reading) == {"first": "is away", "second": ""}
    # That one is good again, and its error is over, though nothing could be taken over yet.
    sources[0].error, sources[1].error = None, ConfigError(Problem("X", "is wrong"))
    read_badly(reading, ConfigError)
    assert errors(reading) == {"first": "", "second": "X: is wrong"}


def test_what_cannot_be_installed_together_names_the_source_it_is_about(sources):
    reading = SnapshotReader(sources)
    reading.good(reading.read()[1])
    sources[0].routes = (route("c", 2),)
    read_badly(reading, ConfigError)
    assert errors(reading)["first"] == ""
    assert "belongs to c" in errors(reading)["second"]
    sources[0].routes = (route("a", 1),)
    reading.read()
    reading.bad(PlaneError("no port"))
    assert errors(reading) == {"first": "", "second": "", "routes": "no port"}
    reading.bad(RuntimeError())
    assert errors(reading) == {"first": "", "second": "", "routes": "RuntimeError"}
    reading.good(reading.read()[1])
    assert errors(reading) == {"first": "", "second": ""}


def test_a_source_that_is_empty_now_is_wrong_and_not_the_guess_asked_in_its_place():
    said, guess = Wish(route("a", 1), name="file"), Wish(name="hosts", guess=True)
    reading = SnapshotReader([said, guess])
    reading.good(reading.read()[1])
    said.routes, guess.error = (), ConfigError(Problem("no route", "is there"))
    read_badly(reading, ConfigError)
    assert errors(reading) == {"file": "no route: is there"}


def test_a_source_that_loses_most_of_its_routes_has_to_be_asked_for(sources):
    reading = SnapshotReader(sources)
    sources[0].routes = tuple(route(f"r{n}", n) for n in range(11, 15))
    reading.good(reading.read()[1])
    sources[0].routes = sources[0].routes[:1]
    read_badly(reading, LostRoutesError, loss=False)
    assert errors(reading) == {
        "first": "first: 3 of its 4 routes are gone at once (r12, r13, r14); they stay until it "
        "is confirmed: ambassador reload",
        "second": "",
    }
    reading.good(reading.read()[1])
    assert errors(reading) == {"first": "", "second": ""}
    reading.read(loss=False)


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


def test_of_a_source_that_yields_what_cannot_be_used_is_left_out_and_told(caplog):
    labels = Wish(route("a", 1), route("b", 2), name="labels", yields=True)

    def admission(one):
        if one.name == "b":
            raise ConfigError(Problem("/allow", "cannot be read"))
        return one

    reading = SnapshotReader([labels, Wish(route("c", 3))], admission)
    desired, snapshots = reading.read()
    assert [one.name for one in desired.routes] == ["a", "c"]
    for _ in range(2):
        reading.good(snapshots)
        assert errors(reading)["labels"] == "b is not used: /allow: cannot be read"
    assert caplog.text.count("b is not used") == 1  # logged once
    labels.yields = False
    read_badly(reading, ConfigError)
