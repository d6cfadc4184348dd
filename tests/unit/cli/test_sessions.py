def test_who_is_connected(verb, operated):
    assert verb("sessions").out.split() == (
        ["SESSION", "ROUTE", "CLIENT", "ENDPOINT", "AGE", "UP", "DOWN", "PLANE", "STATE"]
    )
    with operated.connect() as first, operated.connect():
        first.sendall(b"12345")
        assert first.recv(5) == b"12345"
        done = verb("sessions", "web")
        assert done.code == 0
        row = done.out.splitlines()[1].split()
        assert row[1:4] == [
            "web",
            f"127.0.0.1:{first.getsockname()[1]}",
            f"127.0.0.1:{operated.first.port}",
        ]
        assert row[-6:] == ["5", "B", "5", "B", "relay", "open"]
        limited = verb("sessions", "--limit", "1")
        assert limited.out.splitlines()[-1] == "... and 1 more"
        assert verb("sessions", "--json", "--limit", "1").json["total"] == 2


def test_of_a_route_that_is_not_there(verb):
    done = verb("sessions", "wbe")
    assert (done.code, done.out) == (3, "")
