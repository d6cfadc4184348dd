from tests.ports import free_port
from tests.unit.cli.operated import url


def test_a_route_begins_and_ends_again(verb, operated):
    port = free_port()
    done = verb("add", f"DB_PORT_{port}_TCP={url(operated.second)}")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"added db  :{port} -> 127.0.0.1:{operated.second.port}\n"
    assert [one["name"] for one in verb("status", "--json").json["routes"]] == ["web", "db"]
    assert verb("remove", "db").out == "db removed\n"
    assert [one["name"] for one in verb("status", "--json").json["routes"]] == ["web"]


def test_what_is_no_assignment_is_told_as_at_the_start(verb):
    done = verb("add", "DB_PORT_5432_TCP=ftp://h")
    assert (done.code, done.out) == (2, "")
    assert "DB_PORT_5432_TCP" in done.err
    assert "example:" in done.err


def test_an_address_that_is_taken(verb, operated):
    done = verb("add", f"DB_PORT_{operated.port}_TCP=tcp://h:1")
    assert (done.code, done.out) == (4, "")
    assert "belongs to the route web" in done.err
