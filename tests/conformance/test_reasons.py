"""Why a session has ended, for each cause in each plane: the access log, the metrics and what
`sessions` lists say one thing.
"""

import socket

import pytest

from ambassador.core.commands import Cut, Drain, Maint, Move, Remove, Sessions
from ambassador.model import Existing, Fate, Health, Pick, Proto
from tests.conformance.ambassador import route
from tests.conformance.scene import reset
from tests.wait import until

CUT, SOON = Existing(Fate.CUT), Existing(Fate.DRAIN, seconds=2.0)
OLD, NEW = "10.77.0.4:7000", "10.77.0.5:7000"


class Case:
    """One session of a route of its own."""

    def __init__(self, name, client, upstream, scene, ambassador):
        self.name, self.client, self.upstream = name, client, upstream
        self.scene, self.ambassador = scene, ambassador

    def execute(self, command):
        return self.ambassador.execute(command)


def ends(first, other):
    """Let `first` end the connection, and `other` after it."""
    first.close()
    assert other.recv(1) == b""
    other.close()


# What happens, by its name: the endpoints of the route, what is done, the reason of the session's
# end, by whom it was, and the reason in the kernel where conntrack cannot tell the same.
CAUSES = {
    "the client ends": ((OLD,), lambda it: ends(it.client, it.upstream), "client", "client", None),
    "the endpoint ends": (
        (OLD,),
        lambda it: ends(it.upstream, it.client),
        "upstream",
        "upstream",
        None,
    ),
    "the client resets": ((OLD,), lambda it: reset(it.client), "client_reset", "client", "reset"),
    "the endpoint resets": (
        (OLD,),
        lambda it: reset(it.upstream),
        "upstream_reset",
        "upstream",
        "reset",
    ),
    "it is cut": ((OLD,), lambda it: it.execute(Cut(it.name)), "cut", "ambassador", None),
    "it is moved": (
        (OLD,),
        lambda it: it.execute(Move(it.name, (f"tcp://{NEW}",))),
        "moved",
        "ambassador",
        None,
    ),
    "a reload moves it": (
        (OLD,),
        lambda it: it.ambassador.change(it.name, NEW),
        "moved",
        "ambassador",
        None,
    ),
    "its name leads elsewhere": (
        ("db:7000",),
        lambda it: it.ambassador.resolve("db", "10.77.0.5"),
        "moved",
        "ambassador",
        None,
    ),
    "its endpoint goes into maintenance": (
        (OLD, NEW),
        lambda it: it.execute(Maint(it.name, f"tcp://{OLD}")),
        "maint",
        "ambassador",
        None,
    ),
    "its endpoint fails its probes": (
        (OLD, NEW),
        lambda it: it.ambassador.judge(OLD, Health.UNHEALTHY, it.name),
        "unhealthy",
        "ambassador",
        None,
    ),
    "the deadline of a drain is over": (
        (OLD, NEW),
        lambda it: it.execute(Drain(it.name, OLD, deadline=0.5)),
        "drained",
        "ambassador",
        None,
    ),
    "its route is removed": (
        (OLD,),
        lambda it: it.ambassador.set(*it.ambassador.without(it.name)),
        "removed",
        "ambassador",
        None,
    ),
    "the ambassador stops": (
        (OLD,),
        lambda it: it.ambassador.drain(),
        "shutdown",
        "ambassador",
        None,
    ),
}


def begin(scene, ambassador, existing=CUT):
    """Begin one session for each cause."""
    scene.endpoint("new")
    old = scene.endpoint("old")
    ambassador.resolve("db", "10.77.0.4")
    ambassador.set(
        *(
            route(6300 + place, *ends, name=f"r{place}", pick=Pick.FIRST, existing=existing)
            for place, (ends, *_) in enumerate(CAUSES.values())
        )
    )
    for place, cause in enumerate(CAUSES):
        client, upstream = scene.session(old, 6300 + place)
        yield cause, Case(f"r{place}", client, upstream, scene, ambassador)


def test_every_end_has_its_reason(scene, ambassador):
    found, expected = {}, {}
    for cause, it in list(begin(scene, ambassador)):
        _, act, reason, by, in_kernel = CAUSES[cause]
        act(it)
        until(lambda it=it: ambassador.lines(it.name), 10, f"a line: {cause}")
        (line,) = ambassador.lines(it.name)
        gone = reason in ("removed", "shutdown")  # which takes the numbers with it
        counted = {} if gone else ambassador.closed_total(it.name)
        found[cause] = line["plane"], line["reason"], line["by"], counted
        if in_kernel and ambassador.plane == "kernel":
            reason, by = in_kernel, "unknown"
        expected[cause] = ambassador.plane, reason, by, {} if gone else {reason: 1.0}
    assert found == expected


LEAVING = {"moved", "maint", "unhealthy", "removed"}


def test_a_session_that_leaves_is_listed_so_until_it_ends(scene, ambassador, caplog):
    caplog.set_level("INFO", "ambassador")
    cases = {
        cause: it
        for cause, it in begin(scene, ambassador, SOON)
        if CAUSES[cause][2] in LEAVING and cause != "its name leads elsewhere"
    }
    for cause, it in cases.items():
        CAUSES[cause][1](it)
        listed = {one.route: one.state for one in ambassador.execute(Sessions()).sessions}
        assert listed[it.name] == "leaving", cause
    until(lambda: all(ambassador.lines(it.name) for it in cases.values()), 10, "all have ended")
    said = {r.fields["route"]: r.fields for r in caplog.records if r.event == "sessions_leaving"}
    for cause, it in cases.items():
        reason = CAUSES[cause][2]
        assert [line["reason"] for line in ambassador.lines(it.name)] == [reason], cause
        fields = said[it.name]
        assert (fields["sessions"], fields["reason"], fields["existing"]) == (1, reason, "drain=2s")


@pytest.mark.parametrize("act", ["client", "upstream"])
def test_kept_sessions_of_an_endpoint_that_left_end_by_whoever_ends_them(scene, ambassador, act):
    old = scene.endpoint("old")
    scene.endpoint("new")
    ambassador.set(route(6379, OLD))
    client, upstream = scene.session(old)
    ambassador.execute(Move("redis", (f"tcp://{NEW}",)))
    ends(*((client, upstream) if act == "client" else (upstream, client)))
    until(lambda: ambassador.lines("redis"), 10)
    assert [line["reason"] for line in ambassador.lines("redis")] == [act]
    assert ambassador.closed_total("redis") == {act: 1.0}


# The same for flows of datagrams, which go where the route leads: what is done, and the reason in
# the relay and in the kernel; None: the flow goes on.
FLOWS = {
    "it is cut": (lambda it: it.execute(Cut(it.name)), "cut", "cut"),
    "it is moved": (
        lambda it: it.execute(Move(it.name, ("udp://10.77.0.5:7053",))),
        None,
        "moved",
    ),
    "its endpoint goes into maintenance": (lambda it: it.execute(Maint(it.name)), None, "maint"),
    "the deadline of a drain is over": (
        lambda it: it.execute(Drain(it.name, deadline=0.5)),
        "drained",
        "drained",
    ),
    "its route is removed": (lambda it: it.execute(Remove(it.name)), "removed", "removed"),
    "the ambassador stops": (lambda it: it.ambassador.drain(), "shutdown", "shutdown"),
}


def test_every_end_of_a_flow_has_its_reason(scene, ambassador):
    endpoint = scene.datagrams("old")
    ambassador.set(
        *(
            route(5300 + place, "10.77.0.4:7053", name=f"r{place}", proto=Proto.UDP)
            for place in range(len(FLOWS))
        )
    )
    cases = {}
    for place, cause in enumerate(FLOWS):
        client = scene.dial("bridge", 5300 + place, kind=socket.SOCK_DGRAM)
        client.send(b"?")
        _, back = endpoint.recvfrom(8)
        endpoint.sendto(b"!", back)
        assert client.recv(8) == b"!"
        cases[cause] = Case(f"r{place}", client, endpoint, scene, ambassador)
    found, expected = {}, {}
    for cause, it in cases.items():
        act, in_relay, in_kernel = FLOWS[cause]
        act(it)
        reason = in_kernel if ambassador.plane == "kernel" else in_relay
        expected[cause] = [] if reason is None else [reason]
        if reason is not None:
            until(lambda it=it: ambassador.lines(it.name), 10, f"a line: {cause}")
        found[cause] = [line["reason"] for line in ambassador.lines(it.name)]
    assert found == expected
