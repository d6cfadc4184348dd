"""An endpoint that fails its probes leaves its route in both planes, and comes back."""

import socket

import dns.message
import pytest

from ambassador.core.commands import Status
from ambassador.core.results import AddressView
from ambassador.model import Existing, Fate, Health, Reason
from ambassador.ports import AddressProbed
from tests.conformance.ambassador import route
from tests.conformance.scene import ends_with_reset, works
from tests.kernel.peers import listen
from tests.wait import until

NAME = "REDIS_PORT_6379_TCP"
PLACE = ("10.77.0.2", 6379)
WELL = tuple(AddressProbed(f"10.77.0.{number}", Health.HEALTHY) for number in (4, 5))
ILL = (AddressProbed("10.77.0.5", Health.UNHEALTHY, "refused"),)


def test_an_unhealthy_endpoint_gets_no_sessions_and_loses_its_own(network, plane, start_program):
    old, new = listen(network.old, 7000), listen(network.new, 7000)
    try:
        program = start_program(
            plane,
            f"{NAME}=tcp://10.77.0.4:7000,tcp://10.77.0.5:7000?backup",
            f"{NAME}_HEALTH=tcp",
            f"{NAME}_INTERVAL=100ms",
            f"{NAME}_EXISTING=cut",
        )
        assert program.started["plane"] == plane
        until(lambda: len(program.events("endpoint_healthy")) == 2, 10)

        def session(listening):
            """Return a client and its upstream; probes that come too say nothing and go."""
            client = network.client.call(socket.create_connection, PLACE, 10)
            client.sendall(b"question")
            while True:
                upstream = listening.accept()[0]
                upstream.settimeout(10)
                if upstream.recv(8) == b"question":
                    return client, upstream
                upstream.close()

        client, upstream = session(old)
        old.close()
        told = until(lambda: program.events("endpoint_unhealthy"), 10)
        assert "10.77.0.4:7000 is unhealthy: connection refused" in told[0]["message"]
        assert ends_with_reset(client)
        for sock in (client, upstream):
            sock.close()
        for sock in session(new):
            sock.close()
        old = listen(network.old, 7000)
        until(lambda: len(program.events("endpoint_healthy")) == 3, 10)
        for sock in session(old):
            sock.close()
    finally:
        old.close()
        new.close()


@pytest.mark.parametrize("health", ["redis", "http"])
def test_what_answers_but_not_as_it_should_is_unhealthy(network, plane, start_program, health):
    old = listen(network.old, 7000)
    try:
        program = start_program(
            plane,
            f"{NAME}=tcp://10.77.0.4:7000",
            f"{NAME}_HEALTH={health}",
            f"{NAME}_INTERVAL=100ms",
            f"{NAME}_FALL=1",
        )
        (told,) = until(lambda: program.events("endpoint_unhealthy"), 10)
        assert "no answer within 0.1 s" in told["message"]
    finally:
        old.close()


def test_each_address_of_a_name_is_an_endpoint_of_its_own(scene, ambassador):
    old, new = scene.endpoint("old"), scene.endpoint("new")
    ambassador.resolver.answer("db", "10.77.0.4", "10.77.0.5")
    policy = Existing(by=((Reason.UNHEALTHY, Existing(Fate.CUT)),))
    ambassador.set(route(6379, "db:7000", existing=policy))
    clients = [scene.dial("bridge", 6379) for _ in range(6)]
    at_old, at_new = ([scene.accept(one) for _ in range(3)] for one in (old, new))
    ambassador.judge("db:7000", Health.HEALTHY, addresses=WELL[:1] + ILL)
    assert all(map(ends_with_reset, at_new))
    for upstream in at_old:
        upstream.sendall(b"here")
    assert sorted(map(heard, clients)) == [b""] * 3 + [b"here"] * 3
    for _ in range(4):
        works(*scene.session(old))
    (part,) = ambassador.execute(Status()).routes[0].endpoints
    assert part.addresses == (
        AddressView("10.77.0.4", "healthy"),
        AddressView("10.77.0.5", "unhealthy", "refused"),
    )
    assert (part.health, part.usable) == ("healthy", True)
    ambassador.judge("db:7000", Health.HEALTHY, addresses=WELL)
    for _ in range(4):
        scene.dial("bridge", 6379)
    for listening in (old, new):
        for _ in range(2):
            scene.accept(listening)


def heard(client):
    """Return what a client hears, nothing where it is reset."""
    try:
        return client.recv(4, socket.MSG_WAITALL)
    except ConnectionResetError:
        return b""


def named(network, where, says):
    """Start a name server in the namespace `where` that has one address for every name."""
    return getattr(network, where).start(
        *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--port=7053"),
        *("--no-resolv", "--no-hosts", "--user=root", f"--address=/#/{says}"),
    )


def test_a_name_server_that_is_gone_gets_no_datagrams(network, plane, start_program):
    processes = [named(network, "old", "10.0.0.1"), named(network, "new", "10.0.0.2")]
    program = start_program(
        plane,
        "DNS_PORT_53_UDP=udp://10.77.0.4:7053,udp://10.77.0.5:7053?backup",
        "DNS_PORT_53_UDP_HEALTH=dns",
        "DNS_PORT_53_UDP_INTERVAL=500ms",
        "DNS_PORT_53_UDP_FALL=1",
    )
    assert program.started["plane"] == plane

    def answer(sock):
        """Return the address of a name as `sock` is told it, nothing when it is told nothing."""
        sock.settimeout(0.5)
        try:
            sock.send(dns.message.make_query("who", "A").to_wire())
            (found,) = dns.message.from_wire(sock.recv(1000)).answer
        except OSError:
            return ""
        return found[0].to_text()

    def dial():
        sock = network.client.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(("10.77.0.2", 53))
        return sock

    with dial() as one, dial() as other:
        until(lambda: answer(one) == "10.0.0.1", 10)
        processes[0].kill()
        processes[0].wait()
        told = until(lambda: program.events("endpoint_unhealthy"), 10)
        assert "udp://10.77.0.4:7053 is unhealthy: connection refused" in told[0]["message"]
        assert answer(other) == "10.0.0.2"
        until(lambda: answer(one) == "10.0.0.2", 10)  # a flow moves with its next datagram
    before = len(program.events("endpoint_healthy"))
    named(network, "old", "10.0.0.1")
    until(lambda: len(program.events("endpoint_healthy")) > before, 10)
    with dial() as one:
        assert answer(one) == "10.0.0.1"
