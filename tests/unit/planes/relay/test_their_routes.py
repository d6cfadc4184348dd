"""Routes of the process before, beside ours: which is which, and how sessions are called on."""

from types import SimpleNamespace

import pytest

from ambassador.model import Inet, Proto
from ambassador.planes.relay.serials import serials
from ambassador.planes.relay.their_routes import TheirRoutes


def ours(serial=0):
    return SimpleNamespace(live=SimpleNamespace(serial=serial, number=0))


def told(port, proto="tcp", *, left=False):
    return [proto, f":{port}", "redis", "keep", left]


@pytest.fixture
def scene():
    """Ours at 1, 2 and, for datagrams, 3; theirs at 1, at 9, and for datagrams at 8."""
    mine = {
        (Proto.TCP, Inet("", 1)): ours(),
        (Proto.TCP, Inet("", 2)): ours(),
        (Proto.UDP, Inet("", 3)): ours(),
    }
    retired = []

    def retire(route):
        retired.append(route)
        return ours()

    theirs = TheirRoutes(mine, retire)
    for serial, known in ((4, told(1)), (7, told(9)), (8, told(8, "udp"))):
        theirs.hear(serial, known)
    return SimpleNamespace(mine=mine, theirs=theirs, retired=retired)


def test_what_comes_of_a_route_comes_to_ours_where_it_listens(scene):
    first = scene.mine[Proto.TCP, Inet("", 1)]
    assert scene.theirs.find(4) is scene.theirs.find(4) is first
    assert (first.live.serial, scene.theirs.found, scene.retired) == (4, {4: first}, [])


def test_sessions_of_a_route_that_we_do_not_have_keep_one_that_has_left(scene):
    gone = scene.theirs.find(7)
    assert scene.theirs.gone == [gone] and gone.live.serial == 7
    assert [(one.name, one.listen) for one in scene.retired] == [("redis", Inet("", 9))]


def test_datagrams_of_a_route_that_we_do_not_have_can_only_go(scene):
    assert scene.theirs.find(8) is None
    assert (scene.theirs.gone, scene.theirs.found) == ([], {})


def test_one_that_has_left_there_is_none_of_ours_though_it_listened_there(scene):
    scene.theirs.hear(9, told(2, left=True))
    assert 9 not in scene.theirs.here
    assert scene.theirs.find(9) is scene.theirs.gone[0]


def test_what_nobody_told_of_is_an_error(scene):
    with pytest.raises(KeyError):
        scene.theirs.find(99)


def test_ids_go_on_and_routes_that_are_new_get_ones_that_nobody_had(scene):
    scene.theirs.find(7)
    scene.theirs.number({4: 17, 7: 3})
    known, new, datagrams = (one.live for one in scene.mine.values())
    assert (known.serial, known.number) == (4, 17)
    assert [new.serial, datagrams.serial] == [9, 10]
    assert serials() > 10


@pytest.mark.parametrize("known", [[], ["tcp"], ["sctp", ":1", "a", "keep", False]])
def test_what_makes_no_sense_is_an_error(scene, known):
    with pytest.raises(ValueError):
        scene.theirs.hear(1, known)
