import pytest

from tests.unit.cli.operated import url
from tests.wait import until


def said_by(operated):
    with operated.connect() as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"


def test_a_route_leads_elsewhere(verb, operated):
    before = operated.second.accepted
    done = verb("move", "web", url(operated.second))
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"web moved to 127.0.0.1:{operated.second.port}, in 0.")
    said_by(operated)
    assert operated.second.accepted > before


def test_the_same_as_json(verb, operated):
    done = verb("move", "web", url(operated.second), "--hold", "--existing", "cut", "--json")
    assert done.code == 0
    found = done.json
    assert found["route"] == "web"
    assert found["endpoints"] == [url(operated.second)]
    assert found["from"] == found["former"] == [url(operated.first)]


def test_open_sessions_follow_the_policy_of_the_move(verb, operated):
    with operated.connect() as kept:
        kept.sendall(b"x")
        assert kept.recv(1) == b"x"
        assert verb("move", "web", url(operated.second)).code == 0
        kept.sendall(b"y")
        assert kept.recv(1) == b"y"
        assert verb("move", "web", url(operated.first)).code == 0
    with operated.connect() as cut:
        cut.sendall(b"x")
        assert cut.recv(1) == b"x"
        assert verb("move", "web", url(operated.second), "--existing", "cut").code == 0
        with pytest.raises(ConnectionResetError):
            cut.recv(1)


def test_5_when_the_new_endpoint_does_not_answer_and_nothing_has_changed(verb, operated):
    done = verb("move", "web", operated.dead)
    assert (done.code, done.out) == (5, "")
    assert done.err.startswith(f"error: {operated.dead} does not answer: ")
    (route,) = verb("status", "--json").json["routes"]
    assert [one["endpoint"] for one in route["endpoints"]] == [url(operated.first)]
    assert route["differs"] == ""
    said_by(operated)


def test_unless_it_need_not(verb, operated):
    assert verb("move", "web", operated.dead, "--no-verify").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["move", "wbe", "tcp://h:1"], 3, 'did you mean "web"?'),
        (["move", "web"], 2, "Missing argument 'ENDPOINT...'"),
        (["move", "web", "ftp://h:1"], 2, "ftp"),
        (["move", "web", "tcp://h:1", "--timeout", "soon"], 2, "flag --timeout: is no duration"),
        (["move", "web", "tcp://h:1", "--existing", "kep"], 2, 'did you mean "keep"?'),
    ],
)
def test_what_makes_no_sense_is_told(verb, arguments, code, words):
    done = verb(*arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err


def test_4_when_it_leads_there_already(verb, operated):
    done = verb("move", "web", url(operated.first))
    assert done.code == 4
    assert "already" in done.err


def test_checked_it_says_what_would_happen_and_nothing_has_changed(verb, operated):
    with operated.connect() as kept:
        kept.sendall(b"x")
        assert kept.recv(1) == b"x"
        before = operated.second.accepted
        done = verb("move", "web", url(operated.second), "--check", "--existing", "drain=30s")
        assert (done.code, done.err) == (0, "")
        where = f"127.0.0.1:{operated.second.port}"
        assert done.out.splitlines() == [
            f"web would move to {where}; nothing has changed",
            f"{where} answers",
            f"1 session at 127.0.0.1:{operated.first.port} goes on there for a while, then is cut "
            "(existing: drain=30s)",
            "plane relay for new sessions",
        ]
        until(lambda: operated.second.accepted == before + 1, what="it was asked")
        found = verb("move", "web", url(operated.second), "--check", "--json").json
        assert (found["checked"], found["verified"], found["sessions"]) == (True, True, 1)
        assert found["plane"] == "relay"
    (route,) = verb("status", "--json").json["routes"]
    assert [one["endpoint"] for one in route["endpoints"]] == [url(operated.first)]
    assert verb("move", "web", operated.dead, "--check").code == 5


def test_4_when_it_leads_elsewhere_by_now(verb, operated):
    seen = ("--from", url(operated.first))
    assert verb("move", "web", url(operated.second), *seen).code == 0
    done = verb("move", "web", operated.dead, *seen)
    assert done.code == 4
    assert f"it leads to 127.0.0.1:{operated.second.port} now" in done.err
    assert "uid 0 on the admin socket" in done.err
