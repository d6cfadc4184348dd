import json
import os
import re
import socket

from ambassador import __version__
from ambassador.cli import status
from ambassador.core.results import (
    EarlierView,
    EndpointView,
    RemovedView,
    RouteView,
    ShortageView,
    StatusView,
)
from tests.wait import until

_NUMBERS = ("open", "opened", "refused", "held", "to_upstream", "to_client")


def test_a_table_of_what_is_carried(ambassador, running):
    with socket.create_connection(("127.0.0.1", running.ports[0])):
        done = ambassador("status", AMBASSADOR_ADMIN=str(running.admin))
    assert (done.returncode, done.stderr) == (0, "")
    first, blank, head, redis, dns = done.stdout.splitlines()
    pid = running.process.pid
    said = rf"ready for [\d.]+ s, ambassador {__version__}, pid {pid}, asked at {running.admin}"
    assert re.fullmatch(said, first)
    assert blank == ""
    names = "ROUTE LISTEN ENDPOINTS PLANE OPEN OPENED REFUSED UP DOWN"
    assert head.split() == names.split()
    listen, there = (
        rf":{running.ports[0]}",
        r"127\.0\.0\.1:1( \(unreachable\))?, db2:2\?backup( \(unreachable\))?",
    )
    assert re.fullmatch(rf"redis +{listen} +{there} +relay +1 +\d+ +\d+ +0 B +0 B", redis)
    assert dns.split()[:3] == ["dns", f":{running.ports[1]}/udp", "127.0.0.1:53"]


def test_a_reason_has_a_column_where_there_is_one():
    def text(why):
        counts = dict.fromkeys(_NUMBERS, 0)
        words = {"name": "redis", "listen": ":6379", "plane": "relay", "origin": "", "why": why}
        ends = (EndpointView("tcp://db:6379", "ready", "unknown", "", 0, True),)
        route = RouteView(endpoints=ends, existing="keep", **words, **counts)
        return status._all(StatusView("ready", "1", 1, 1.0, (route,)))

    assert "WHY" not in text("")
    head, row = text("no CAP_NET_ADMIN").splitlines()[2:]
    assert (head.split()[-1], row.rstrip()[-16:]) == ("WHY", "no CAP_NET_ADMIN")


def view(*names, **more):
    counts = dict.fromkeys(_NUMBERS, 0)
    why = "127.0.0.1 and IPv6 through the relay"
    ends = (EndpointView("tcp://192.168.100.52:6379", "ready", "unknown", "", 0, True),)
    words = {"listen": ":6379", "plane": "kernel", "origin": "", "why": why, "existing": "keep"}
    routes = tuple(RouteView(name=name, endpoints=ends, **words, **counts) for name in names)
    return StatusView("ready", "1", 1, 1.0, routes, **more)


def test_reasons_stand_below_where_there_is_no_room():
    five = view("redis", "db", "web", "mail", "dns")
    wide = status._all(five, width=200)
    assert "WHY" in wide
    assert status._all(five) == wide
    lines = status._all(five, width=80).splitlines()
    assert "WHY" not in lines[2]
    assert max(map(len, lines)) <= 80
    assert lines[-1] == ("redis, db, web and 2 more: kernel, 127.0.0.1 and IPv6 through the relay")


def test_what_is_not_there_or_elsewhere_is_told():
    removed = RemovedView("web", ":80", "removed by ann at noon; file says tcp://h:1")
    lines = status._all(
        view("redis", earlier=(EarlierView(4711, 1), EarlierView(4712, 3)), removed=(removed,))
    ).splitlines()
    assert lines[-3:] == [
        "web (:80): removed by ann at noon; file says tcp://h:1",
        "1 session goes on in process 4711, which had the routes before the upgrade",
        "3 sessions go on in process 4712, which had the routes before the upgrade",
    ]


def test_a_removed_route_is_not_forgotten(verb):
    assert verb("remove", "web").code == 0
    assert f"removed by uid {os.getuid()}" in verb("status").out
    assert [one["name"] for one in verb("status", "--json").json["removed"]] == ["web"]
    for words in (("status", "web"), ("hold", "web"), ("sessions", "web")):
        done = verb(*words)
        assert done.code == 3
        assert "route: web is removed by" in done.err
        assert "ambassador reset web, which brings it back" in done.err
    assert "did you mean" not in verb("hold", "nothing").err
    assert verb("reset", "web").code == 0
    assert verb("status", "--json").json["removed"] == []


def test_the_same_as_json(ambassador, running):
    done = ambassador("status", "--json", "--admin", str(running.admin))
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["phase"], found["pid"]) == ("ready", running.process.pid)
    assert [route["name"] for route in found["routes"]] == ["redis", "dns"]
    assert found["routes"][0]["origin"] == f"argument REDIS_PORT_{running.ports[0]}_TCP"


def test_nobody_to_ask(ambassador, tmp_path):
    done = ambassador("status", "--json", AMBASSADOR_ADMIN=str(tmp_path / "none.sock"))
    assert (done.returncode, done.stdout) == (7, "")
    assert done.stderr.startswith("error: no ambassador is running here: nothing answers at ")
    assert "ambassador run REDIS_PORT_6379_TCP=tcp://HOST:6379" in done.stderr


def test_a_socket_of_somebody_else_is_not_hidden(ambassador, tmp_path):
    done = ambassador("status", "--admin", os.devnull)
    assert done.returncode == 7
    assert done.stderr.startswith("error: ")


def test_everything_about_one_route(verb, operated):
    there = f"tcp://127.0.0.1:{operated.first.port}  ready  unknown  1     "
    with operated.connect():
        done = until(lambda: (ended := verb("status", "web")) and there in ended.out and ended)
    assert (done.code, done.err) == (0, "")
    facts = dict(line.split(maxsplit=1) for line in done.out.partition("\n\n")[0].splitlines())
    assert facts["route"] == "web"
    assert facts["listen"] == f":{operated.port}"
    assert facts["plane"] == "relay"
    assert facts["sessions"].startswith("1 open; since it began ")
    assert facts["from"].startswith("argument WEB_PORT_")


def test_what_is_new_in_a_second(verb, operated):
    with operated.connect() as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
    (before,) = verb("status", "--json").json["routes"]
    assert before["to_upstream"] > 0
    (route,) = verb("status", "--rate", "--json").json["routes"]
    assert (route["opened"], route["to_upstream"], route["to_client"]) == (0, 0, 0)
    assert "0 open; in the last second 0 opened" in verb("status", "web", "--rate").out
    assert "NEW/S  REFUSED/S  UP/S  DOWN/S" in verb("status", "--rate").out


def test_the_nearest_route_is_told(verb):
    done = verb("status", "wbe")
    assert (done.code, done.out) == (3, "")
    assert 'did you mean "web"?' in done.err


def test_it_says_where_no_source_port_was_free():
    text = status._all(view("db", source_ports=(ShortageView("10.0.0.5:6379", 3, 1e9),)))
    assert "no source port was free for 10.0.0.5:6379, 3 times, the last time at 2001-" in text
