import json
import socket

import pytest

from tests.ports import free_port

ROUTES = {
    "REDIS_PORT_6379_TCP": "tcp://192.168.1.52:6379",
    "DB_PORT_5432_TCP": "tcp://db1:5432,tcp://db2:5432?backup",
    "DB_PORT_5432_TCP_CONNECT": "2s",
    "DNS_PORT_53_UDP": "udp://172.17.0.5:53",
}


def test_a_table_of_the_routes(ambassador):
    done = ambassador("check", **ROUTES, OTHER_PORT_1_TCP="")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "ROUTE  LISTEN   ENDPOINTS                    OPTIONS     FROM",
        "redis  :6379    192.168.1.52:6379            -           "
        "environment variable REDIS_PORT_6379_TCP",
        "db     :5432    db1:5432, db2:5432 (backup)  connect=2s  "
        "environment variable DB_PORT_5432_TCP",
        "dns    :53/udp  172.17.0.5:53                -           "
        "environment variable DNS_PORT_53_UDP",
        "note: OTHER_PORT_1_TCP is empty: counted as not set",
    ]


def test_the_same_as_json(ambassador):
    done = ambassador("check", "--json", **ROUTES, AMBASSADOR_LOG="")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert [route["name"] for route in found["routes"]] == ["redis", "db", "dns"]
    assert found["routes"][1] == {
        "name": "db",
        "proto": "tcp",
        "listen": ":5432",
        "endpoints": ["tcp://db1:5432", "tcp://db2:5432?backup"],
        "options": {"connect": "2s"},
        "origin": "environment variable DB_PORT_5432_TCP",
    }
    assert found["notes"] == ["AMBASSADOR_LOG is empty: counted as not set"]


def test_nothing_is_started_so_a_port_may_be_taken(ambassador):
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        assert ambassador("check", "192.168.1.52", str(port)).returncode == 0


def test_every_finding_is_told_with_what_where_expected_and_example(ambassador):
    done = ambassador("check", A_PORT_1_TCP="ftp://h:1", B_PORT_2_TCP="tcp://h:0")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: environment variable A_PORT_1_TCP: ")
    assert "\nenvironment variable B_PORT_2_TCP: " in done.stderr
    for label in ("read", "expected", "example"):
        assert done.stderr.count(f"\n  {label}:") == 2
    assert "\n  example:  A_PORT_1_TCP=tcp://h:1\n" in done.stderr


def test_the_example_of_an_error_is_right(ambassador):
    done = ambassador("check", "REDIS_PORT_6379_TCP=redis:6379")
    (example,) = [line for line in done.stderr.splitlines() if line.startswith("  example:")]
    assert ambassador("check", example.removeprefix("  example:").strip()).returncode == 0


def test_errors_as_json(ambassador):
    done = ambassador("check", "--json", "REDIS_PORT_6379_TCP=tcp://192.168.1.52")
    assert (done.returncode, done.stderr) == (2, "")
    (error,) = json.loads(done.stdout)["errors"]
    assert error == {
        "where": "argument REDIS_PORT_6379_TCP",
        "what": "the port is missing",
        "read": "tcp://192.168.1.52",
        "expected": error["expected"],
        "example": "REDIS_PORT_6379_TCP=tcp://192.168.1.52:6379",
    }
    assert error["expected"].startswith("tcp://HOST:PORT")


@pytest.mark.parametrize("flags", [("--grace", "soon"), ("--buffer", "1"), ("--admin", "x")])
def test_flags_are_checked_as_run_would(ambassador, flags):
    done = ambassador("check", *flags, "192.168.1.52", "80")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: flag {flags[0]}: ")


def test_a_setting_that_does_not_exist(ambassador):
    done = ambassador("check", "192.168.1.52", "80", AMBASSADOR_GRACES="8s")
    assert done.returncode == 2
    assert 'did you mean "AMBASSADOR_GRACE"?' in done.stderr


def test_no_route_at_all(ambassador):
    done = ambassador("check")
    assert done.returncode == 2
    assert "REDIS_PORT_6379_TCP=tcp://192.168.1.52:6379\n" in done.stderr
