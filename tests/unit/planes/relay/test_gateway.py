from ambassador.planes.relay.gateway import gateways

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
