import pytest


def test_a_route_ends_and_comes_back_when_it_is_reset(verb, operated):
    assert verb("remove", "web", "--json").json["message"] == "web removed"
    with pytest.raises(ConnectionRefusedError):
        operated.connect()
    assert verb("reset", "web").out == "web reset\n"
    operated.connect().close()


def test_a_route_that_is_not_there(verb):
    done = verb("remove", "wbe")
    assert (done.code, done.out) == (3, "")
    assert 'did you mean "web"?' in done.err
