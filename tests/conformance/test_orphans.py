"""An ambassador is killed, and the next one leads elsewhere: nobody stays with what has left."""

import socket

import pytest

from tests.conformance.scene import IPV6
from tests.kernel.peers import listen, open_flows, times_of_resets, udp

HOSTS = {socket.AF_INET: ("10.77.0.4", "10.77.0.5"), IPV6: ("[fd77::4]", "[fd77::5]")}
CUT = "REDIS_PORT_6379_TCP_EXISTING=cut"


@pytest.mark.parametrize("left", ["killed", "--keep-rules"])
@pytest.mark.parametrize("family", HOSTS, ids=["IPv4", "IPv6"])
def test_no_flow_of_a_former_one_goes_on_to_an_endpoint_that_left(
    network, plane, start_program, family, left
):
    def routes(host):
        tcp = f"REDIS_PORT_6379_TCP=tcp://{host}:7000"
        return tcp, CUT, f"DNS_PORT_53_UDP=udp://{host}:7053"

    def ask(client, upstream):
        client.send(b"asked")
        assert upstream.recv(5) == b"asked"

    before, after = HOSTS[family]
    with (
        listen(network.old, 7000) as old,
        listen(network.new, 7000) as new,
        udp(network.old, 7053) as old_datagrams,
        udp(network.new, 7053) as new_datagrams,
        network.client.socket(family, socket.SOCK_DGRAM) as client,
    ):
        for sock in (old, new, old_datagrams, new_datagrams):
            sock.settimeout(10)
        options = ["--keep-rules"] * (left != "killed")
        first = start_program(plane, *routes(before), *options, "--grace=0s")
        pairs = open_flows(network, old, 6379, 3, family=family)
        client.connect((network.address("ambassador", family), 53))
        ask(client, old_datagrams)
        if left == "killed":
            first.kill()
        else:
            first.stop()
        start_program(plane, *routes(after))
        times_of_resets(pairs)
        ask(client, new_datagrams)
        pairs += open_flows(network, new, 6379, family=family)
        for pair in pairs:
            for sock in pair:
                sock.close()
