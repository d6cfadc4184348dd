import pytest

from tests.unit.cli.operated import url


def leads_to(verb):
    (route,) = verb("status", "web", "--json").json["routes"]
    return [one["endpoint"] for one in route["endpoints"]], route["differs"]


def test_a_move_is_taken_back_and_its_sessions_go_on(verb, operated):
    assert verb("move", "web", url(operated.second)).code == 0
    with operated.connect() as kept:
        kept.sendall(b"x")
        assert kept.recv(1) == b"x"
        done = verb("undo", "web")
        assert (done.code, done.err) == (0, "")
        assert f"taken back (web moved to 127.0.0.1:{operated.second.port}), in 0." in done.out
        assert f"1 session still at 127.0.0.1:{operated.second.port}" in done.out
        kept.sendall(b"y")
        assert kept.recv(1) == b"y"
    assert leads_to(verb) == ([url(operated.first)], "")
    assert verb("history", "web", "--json").json["changes"][1]["outcome"] == "undone"


def test_as_json_and_what_cannot_be_taken_back(verb, operated):
    assert verb("hold", "web").code == 0
    number = verb("history", "web", "--json").json["changes"][0]["number"]
    done = verb("undo", "web", "--change", str(number), "--json")
    assert done.json["change"] == number
    assert done.json["endpoints"] == [url(operated.first)]
    done = verb("undo", "web", "--change", str(number))
    assert (done.code, done.out) == (4, "")


def test_5_when_where_it_was_does_not_answer_and_nothing_has_changed(verb, operated):
    assert verb("move", "web", operated.dead, "--no-verify").code == 0
    assert verb("move", "web", url(operated.second)).code == 0
    done = verb("undo", "web")
    assert done.code == 5
    assert leads_to(verb)[0] == [url(operated.second)]
    assert verb("undo", "web", "--no-verify").code == 0
    assert leads_to(verb)[0] == [operated.dead]


@pytest.mark.parametrize("arguments", [["undo", "wbe"], ["undo", "wbe", "--timeout", "soon"]])
def test_what_makes_no_sense_is_told(verb, arguments):
    assert verb(*arguments).code in (2, 3)
