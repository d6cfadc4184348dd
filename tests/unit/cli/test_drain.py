import pytest

from tests.unit.cli.operated import url


def admin_of(verb):
    (route,) = verb("status", "--json").json["routes"]
    return [one["admin"] for one in route["endpoints"]]


def test_a_route_or_an_endpoint_of_it_or_of_all(verb, operated):
    place = f"127.0.0.1:{operated.first.port}"
    for arguments in (["web"], [place], [url(operated.first)], ["web", place]):
        done = verb("drain", *arguments)
        assert (done.code, done.out) == (
            0,
            f"{place} of web draining, 0 open; no endpoint of web takes new sessions now\n",
        )
        assert admin_of(verb) == ["drain"]
        assert verb("ready", *arguments).out == f"{place} of web ready\n"
        assert admin_of(verb) == ["ready"]


def test_what_is_left_at_the_deadline_is_cut(verb, operated):
    with operated.connect() as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        assert verb("drain", "web", "--deadline", "200ms").code == 0
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_an_endpoint_nobody_has(verb, operated):
    done = verb("drain", "127.0.0.1:1")
    assert (done.code, done.out) == (3, "")
    assert "there is no endpoint" in done.err
    assert admin_of(verb) == ["ready"]


def test_it_waits_until_nobody_is_left(verb, operated):
    with operated.connect() as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        done = verb("drain", "web", "--deadline", "200ms", "--wait")
        assert done.code == 0
        assert "draining, 1 open, until " in done.out
        (route,) = verb("status", "--json").json["routes"]
        assert route["open"] == 0
    verb("ready", "web")
