import pytest

from tests.unit.cli.operated import url


@pytest.fixture
def session(operated):
    with operated.connect() as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        yield sock


def one_id(verb):
    (found,) = verb("sessions", "--json").json["sessions"]
    return found["id"]


@pytest.mark.parametrize("place", ["route", "endpoint", "address", "both", "session"])
def test_a_session_is_ended(verb, operated, session, place):
    arguments = {
        "route": ["web"],
        "endpoint": [url(operated.first)],
        "address": [f"127.0.0.1:{operated.first.port}"],
        "both": ["web", url(operated.first)],
        "session": [],
    }[place] or [one_id(verb)]
    done = verb("cut", *arguments)
    assert (done.code, done.out) == (0, "1 session cut\n")
    with pytest.raises(ConnectionResetError):
        session.recv(1)


def test_many_are_ended_one_after_another(verb, session):
    done = verb("cut", "web", "--rate", "50", "--json")
    assert (done.code, done.json["sessions"]) == (0, 1)
    with pytest.raises(ConnectionResetError):
        session.recv(1)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["r99.99"], 3, 'no open session "r99.99"'),
        (["wbe"], 3, 'did you mean "web"?'),
        (["web", "--rate", "0"], 2, "--rate"),
        ([], 2, "Missing argument"),
    ],
)
def test_what_makes_no_sense_ends_nothing(verb, session, arguments, code, words):
    done = verb("cut", *arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    session.sendall(b"y")
    assert session.recv(1) == b"y"
