import pytest


def test_a_session_waits_and_goes_on_when_it_is_released(verb, operated):
    assert verb("hold", "web", "--timeout", "20s", "--max", "5").out == "web held\n"
    (route,) = verb("status", "--json").json["routes"]
    assert (route["hold"]["limit"], route["hold"]["timeout"]) == (5, 20)
    with operated.connect() as sock:
        sock.sendall(b"x")
        sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        assert verb("release", "web").out == "web released\n"
        sock.settimeout(5)
        assert sock.recv(1) == b"x"


def test_a_second_hold_is_a_conflict(verb):
    assert verb("hold", "web").code == 0
    done = verb("hold", "web")
    assert (done.code, done.out) == (4, "")
    assert "held already" in done.err


@pytest.mark.parametrize(
    "arguments", [["--max", "0"], ["--timeout", "off"], ["--max", "x"], ["more"]]
)
def test_what_makes_no_sense_is_told(verb, arguments):
    done = verb("hold", "web", *arguments)
    assert (done.code, done.out) == (2, "")
    (route,) = verb("status", "--json").json["routes"]
    assert route["hold"] is None
