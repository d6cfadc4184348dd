"""Clients of a held route: those who go before it is released, and those who stay."""

from __future__ import annotations

import logging
import socket
from dataclasses import replace

import pytest

from ambassador.model import Hold, Reason
from tests.ports import free_port
from tests.relay.peers import is_reset, port_of, read_all, read_exactly, reset
from tests.relay.running import route
from tests.wait import until

HOLD = Hold(timeout=60.0, limit=1)


@pytest.fixture(params=["tcp", "unix"])
def place(request, tmp_path):
    """Where the route listens."""
    return free_port() if request.param == "tcp" else str(tmp_path / "demo.sock")


@pytest.fixture
def held(relay, peers, place):
    """A listening endpoint behind a route that has room for one client, and what releases it."""
    listening = peers.listen()
    free = route(place, port_of(listening))
    closed = replace(free, hold=HOLD)
    relay.add(closed)
    return listening, lambda: relay.change(closed, free)


def waits(relay, count=1):
    until(lambda: relay.status().held == count)


def leave(sock, how):
    if how == "half":
        sock.shutdown(socket.SHUT_WR)
    else:
        sock.close()


@pytest.mark.parametrize("how", ["half", "whole"])
def test_who_has_asked_for_nothing_leaves_the_place_to_the_next(
    relay, peers, place, held, caplog, how
):
    caplog.set_level(logging.DEBUG, "ambassador")
    listening, release = held
    gone = peers.connect(place)
    waits(relay)
    leave(gone, how)
    waits(relay, 0)
    status = relay.status()
    assert (status.open, status.refused, status.closed) == (0, 0, {Reason.CLIENT: 1})
    (ended,) = [r for r in caplog.records if getattr(r, "event", "") == "session_closed"]
    assert ended.fields["reason"] == "client"
    following = peers.connect(place)
    following.sendall(b"question")
    waits(relay)
    release()
    assert read_exactly(peers.accept(listening), 8) == b"question"
    assert relay.status().opened == 2


def test_who_only_ends_sees_a_reset_and_no_empty_answer(relay, peers, place, held):
    client = peers.connect(place)
    waits(relay)
    client.shutdown(socket.SHUT_WR)
    if isinstance(place, int):
        assert is_reset(client)
    else:
        assert read_all(client) == b""  # unix sockets know no resets


@pytest.mark.parametrize("how", ["half", "whole"])
def test_a_question_counts_though_its_client_has_ended(relay, peers, place, held, how):
    listening, release = held
    client = peers.connect(place)
    client.sendall(b"question")
    leave(client, how)
    until(lambda: relay.call(lambda: ends_seen(relay.plane)) == [True])
    waits(relay)
    release()
    upstream = peers.accept(listening)
    assert read_all(upstream) == b"question"
    if how == "half":
        upstream.sendall(b"answer")
        upstream.close()
        assert read_all(client) == b"answer"


@pytest.mark.parametrize("place", ["tcp"], indirect=True)
@pytest.mark.parametrize("question", [b"", b"question"], ids=["nothing asked", "asked"])
def test_a_reset_frees_the_place_whatever_was_asked(relay, peers, place, held, question):
    client = peers.connect(place)
    client.sendall(question)
    waits(relay)
    reset(client)
    waits(relay, 0)
    assert relay.status().closed == {Reason.CLIENT_RESET: 1}


def test_who_had_ended_before_the_hold_is_gone_with_it(relay, peers, place):
    """It was still looking for its upstream, where an end alone means nothing yet."""
    free = route(place, free_port(), connect=20.0)
    relay.add(free)
    silent, asking = peers.connect(place), peers.connect(place)
    silent.shutdown(socket.SHUT_WR)
    asking.sendall(b"question")
    asking.shutdown(socket.SHUT_WR)
    until(lambda: relay.call(lambda: ends_seen(relay.plane)) == [True, True])
    assert relay.status().open == 2
    relay.change(free, replace(free, hold=replace(HOLD, limit=2)))
    waits(relay)
    status = relay.status()
    assert (status.open, status.closed) == (1, {Reason.CLIENT: 1})


def ends_seen(plane):
    """Of each open session, whether the end of its client has been seen."""
    return [session.client.ending for one in plane._routes.values() for session in one.sessions]


def test_a_release_leads_each_client_to_its_endpoint_once(relay, peers, place, held):
    """The change of the route looks at all sessions, also at those that are just connecting."""
    listening, release = held
    client = peers.connect(place)
    waits(relay)
    release()
    client.sendall(b"question")
    assert read_exactly(peers.accept(listening), 8) == b"question"
    listening.setblocking(False)
    with pytest.raises(BlockingIOError):
        listening.accept()
