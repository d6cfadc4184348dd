def test_what_is_not_held_cannot_be_released(verb):
    done = verb("release", "web")
    assert (done.code, done.out) == (4, "")
    assert "is not held" in done.err


def test_it_is_said_as_json(verb):
    assert verb("hold", "web").code == 0
    done = verb("release", "web", "--json")
    assert (done.code, done.json["message"]) == (0, "web released")
