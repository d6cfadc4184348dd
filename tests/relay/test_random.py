"""Whatever both ends do in whatever order: no byte is lost or made up, and nothing is left."""

from __future__ import annotations

import select
import socket

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ports import free_port
from tests.relay.bulk import Transfer
from tests.relay.peers import PATIENCE, port_of, reset
from tests.relay.running import route
from tests.wait import until

# How many bytes to send, and how to end.
SCRIPTS = st.tuples(
    st.lists(st.integers(1, 300_000), max_size=4), st.sampled_from(["end", "reset"])
).map(lambda parts: [*parts[0], parts[1]])


class End:
    """One end of a session: performs its script while it reads what it is sent."""

    def __init__(self, sock, script, seed, *, waits=False):
        self.sock = sock
        self.waits = waits  # until it has heard from the other
        self.sent = bytearray()
        self.received = bytearray()
        self.saw = ""  # how the other side ended
        self.does = script[-1]
        self._words = [
            bytes((seed + number + i) % 251 for i in range(size))
            for number, size in enumerate(script[:-1])
        ]

    def perform(self):
        try:
            self._perform()
        except OSError:  # ECONNRESET; EPIPE or ENOTCONN on what follows it
            self.saw = "reset"

    def _perform(self):
        self.sock.setblocking(False)
        if self.waits:
            select.select([self.sock], [], [], PATIENCE)
        unsent = bytearray().join(self._words)
        sending = True
        while sending or not self.saw:
            reading, writing = [[self.sock] if on else [] for on in (not self.saw, sending)]
            readable, writable, _ = select.select(reading, writing, [], PATIENCE)
            assert readable or writable, "nothing happens"
            if readable:
                data = self.sock.recv(65536)
                self.received += data
                self.saw = "" if data else "end"
            if writable and unsent:
                count = self.sock.send(unsent[:50_000])
                self.sent += unsent[:count]
                del unsent[:count]
            elif writable and self.does == "reset":
                reset(self.sock)
                return
            elif writable:
                self.sock.shutdown(socket.SHUT_WR)
                sending = False


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(first=SCRIPTS, second=SCRIPTS, late=st.booleans())
def test_two_ends_with_any_two_scripts(relay, peers, first, second, late):
    port = free_port()
    listening = peers.listen()
    listening.settimeout(2)  # a client that resets at once is perhaps never passed on
    installed = route(port, port_of(listening), name=f"route-{port}", connect=1.0)
    relay.add(installed)
    client = End(peers.connect(port), first, 7)
    early = None if late else Transfer(client.perform)
    try:
        # An endpoint that resets before it can be seen to be there is taken for one that is not
        # there yet, and tried again; that has a test of its own.
        waits = second[-1] == "reset"
        upstream = End(peers.accept(listening), second, 101, waits=waits)
    except TimeoutError:
        upstream = None
    ends = [Transfer(upstream.perform)] if upstream else []
    ends.append(early or Transfer(client.perform))
    for end in ends:
        end.result(20)
    until(lambda: relay.status(installed.name).open == 0)
    if upstream:
        check(client, upstream)
        check(upstream, client)
    else:
        assert client.does == "reset"
    for end in (client, upstream):
        if end:
            end.sock.close()
    listening.close()
    relay.remove(installed)


def check(one, other):
    """Compare what `one` did with what `other` saw."""
    assert one.sent.startswith(other.received)
    if "reset" not in {one.does, other.does}:
        assert other.received == one.sent
        assert other.saw == "end"
    if one.does == "reset" and other.does == "end":
        assert other.saw == "reset"
