"""/metrics of the program, in both planes, read by Prometheus' own parser."""

import socket
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.kernel.peers import listen
from tests.relay.echo import Echo
from tests.wait import until

ASSIGNMENT = "REDIS_PORT_6379_TCP=tcp://10.77.0.4:7000"
HEALTH = ("REDIS_PORT_6379_TCP_HEALTH=tcp", "REDIS_PORT_6379_TCP_INTERVAL=100ms")
END = ("tcp://10.77.0.4:7000",)
PLACE = ("10.77.0.2", 6379)


@pytest.fixture
def echo(network):
    listening = listen(network.old, 7000)
    echo = Echo(listening)
    yield echo
    echo.close()
    listening.close()


def test_what_is_carried_is_counted(network, plane, echo, start_program):
    start_program(plane, ASSIGNMENT, *HEALTH, "--metrics=:9464")

    def ask():
        with urllib.request.urlopen("http://10.77.0.2:9464/metrics", timeout=10) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            return answer.read().decode()

    def values():
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(network.client.call(ask))
            for sample in family.samples
        }

    until(lambda: values()["ambassador_endpoint_health", "healthy", "redis", *END] == 1)
    clients = [network.client.call(socket.create_connection, PLACE, 10) for _ in range(3)]
    for client in clients:
        client.sendall(b"x" * 1000)
        assert len(client.recv(1000, socket.MSG_WAITALL)) == 1000
    clients.pop().close()
    until(lambda: values()["ambassador_sessions_open", "redis"] == 2, 10)
    found = values()
    assert found["ambassador_route_info", *sorted([plane, "redis", "tcp", ":6379"])] == 1
    assert found["ambassador_sessions_opened_total", "redis"] == 3
    assert found["ambassador_bytes_total", "redis", "to_upstream"] >= 3000
    assert found["ambassador_bytes_total", "redis", "to_client"] >= 3000
    closed = {key: v for key, v in found.items() if key[0] == "ambassador_sessions_closed_total"}
    assert sum(closed.values()) == 1
    assert found["ambassador_ready",] == found["ambassador_reload_successful",] == 1
    least = 2 if plane == "kernel" else 0  # nothing asks for connection tracking there
    assert least <= found["ambassador_conntrack_entries",] < found["ambassador_conntrack_limit",]
    if plane == "relay":
        assert found["ambassador_sessions_closed_total", "client", "redis"] == 1
        assert found["ambassador_connect_seconds_count", "redis"] == 1
        assert found["ambassador_connect_seconds_sum", "redis"] > 0
    for client in clients:
        client.close()
