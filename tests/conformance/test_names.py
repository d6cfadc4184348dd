"""Names of endpoints, by a name server that answers half."""

import socket

import pytest

from tests.conformance.test_program import PLACE
from tests.kernel.peers import listen
from tests.program import with_etc
from tests.relay.echo import Echo
from tests.scripted import ScriptedServer
from tests.wait import until

HERE = "10.77.0.4"


@pytest.fixture
def echo(network):
    listening = listen(network.old, 7000)
    echo = Echo(listening)
    yield echo
    echo.close()
    listening.close()


def test_half_an_answer_of_dns_throws_nothing_away(network, plane, echo, start_program, tmp_path):
    said = {"A": [HERE], "AAAA": [network.address("new", socket.AF_INET6)]}
    server = ScriptedServer(network.ambassador, lambda _, kind, edns: said[kind], ttl=1)
    resolv_conf, hosts = tmp_path / "resolv.conf", tmp_path / "hosts"
    resolv_conf.write_text("nameserver 127.0.0.1\n")
    hosts.write_text("127.0.0.1 localhost\n")
    program = start_program(
        plane,
        "REDIS_PORT_6379_TCP=tcp://db:7000",
        "REDIS_PORT_6379_TCP_EXISTING=cut",
        before=with_etc(resolv_conf, hosts),
    )
    try:
        client = network.client.call(socket.create_connection, PLACE, 10)
        client.sendall(b"before")
        assert client.recv(6, socket.MSG_WAITALL) == b"before"
        said["A"] = None
        asked = server.asked["db.", "AAAA"]
        until(lambda: server.asked["db.", "AAAA"] > asked + 2, 20)
        client.sendall(b"after")
        assert client.recv(5, socket.MSG_WAITALL) == b"after"
        client.close()
        with network.client.call(socket.create_connection, PLACE, 10) as new:
            new.sendall(b"new")
            assert new.recv(3, socket.MSG_WAITALL) == b"new"
        assert program.events("name_resolved") == []
    finally:
        server.stop()
