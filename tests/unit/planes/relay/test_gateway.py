import pytest

from ambassador.planes.relay import gateway
from ambassador.planes.relay.gateway import Alike, gateways, is_rootless

IPV4 = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
tun0\t0000000A\t0100000A\t0003\t0\t0\t0\t000000FF\t0\t0\t0
"""
ZERO = "0" * 32
IPV6 = f"""\
fd770000000000000000000000000000 40 {ZERO} 00 {ZERO} 00000100 00000001 00000000 00000001 eth0
{ZERO} 00 {ZERO} 00 fd770000000000000000000000000001 00000400 00000001 00000000 00000003 eth0
{ZERO} 00 {ZERO} 00 {ZERO} ffffffff 00000001 00000000 00200200 lo
"""


def test_only_default_routes_have_a_gateway():
    assert gateways(IPV4, IPV6) == {"172.17.0.1", "fd77::1"}
    assert gateways(IPV4.splitlines()[0], "") == set()


@pytest.mark.parametrize(
    ("users", "rootless"),
    [
        ("         0          0 4294967295\n", False),  # the host's own
        ("         0     100000      65536\n", False),  # userns-remap of an engine with root
        ("         0       1000          1\n         1     100000      65536\n", True),
        ("", False),
    ],
)
def test_an_engine_without_root_is_seen_by_the_map_of_its_users(users, rootless):
    assert is_rootless(users) is rootless


@pytest.fixture
def at_gateway(monkeypatch):
    monkeypatch.setattr(gateway, "is_gateway", lambda host: host == "172.17.0.1")


def test_clients_that_all_look_like_the_gateway_are_told_of_once_and_shown(at_gateway):
    alike = Alike()
    assert alike.words() == ""
    assert [alike.meet("::ffff:172.17.0.1") for _ in range(5)] == [False, False, True, False, False]
    assert alike.words().startswith("every client so far looks like 172.17.0.1, the gateway")


def test_one_that_looks_otherwise_is_enough(at_gateway):
    alike = Alike()
    for host in ("172.17.0.1", "10.0.0.9", "172.17.0.1"):
        alike.meet(host)
    assert alike.varied
    assert alike.words() == ""


def test_clients_of_one_other_address_are_nothing_to_tell(at_gateway):
    alike = Alike()
    assert not any(alike.meet("10.0.0.9") for _ in range(5))
    assert alike.words() == ""
