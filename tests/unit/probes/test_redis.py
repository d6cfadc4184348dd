import pytest

from ambassador.demo.valkey import find_program
from tests.answering import running, saying
from tests.ports import free_port
from tests.wait import until


@pytest.mark.parametrize("more", [(), ("--requirepass", "secret")])
def test_a_redis_works_with_and_without_a_password(verdict, tmp_path, more):
    port = free_port()
    command = (find_program(), "--port", str(port), "--save", "", "--dir", str(tmp_path), *more)
    with running(*command):
        until(lambda: verdict("redis", port) == "", 10)
    assert verdict("redis", port) == "connection refused"


def test_a_replica_without_its_primary_that_must_not_serve_old_data_is_no_health(verdict, tmp_path):
    port = free_port()
    command = (find_program(), "--port", str(port), "--save", "", "--dir", str(tmp_path))
    replica = ("--replicaof", f"127.0.0.1 {free_port()}", "--replica-serve-stale-data", "no")
    with running(*command, *replica):
        until(lambda: "refused" not in verdict("redis", port), 10)
        assert "MASTERDOWN" in verdict("redis", port)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "LOADING"),
        (b"-NOAUTH Authentication required.\r\n", ""),
        (b"+PONG", "ends before it has answered"),
        (b"x" * 100_000, "answers without end"),
        (b"HTTP/1.1 400 Bad Request\r\n", "answers PING with 'HTTP"),
    ],
)
def test_what_else_may_be_said(verdict, said, why):
    with saying(said) as port:
        found = verdict("redis", port)
        assert why in found
        assert bool(why) == bool(found)
