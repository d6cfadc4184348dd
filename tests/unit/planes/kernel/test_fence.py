"""What a fence drops, as the kernel is told; tests/kernel/test_fence.py has what it does."""

import asyncio
from ipaddress import ip_address

from ambassador.planes.kernel import fence
from ambassador.planes.kernel.stops import Stop


def test_each_stop_is_a_rule_a_way_at_both_hooks_that_names_its_ports_and_its_address():
    stops = [Stop(6379, "10.0.0.2", 7000), Stop(6379, "fd00::2", 7001)]
    before, output = fence.chains(stops)
    assert (before.hook, output.hook) == (0, 3)
    assert before.rules == output.rules
    assert len(set(before.rules)) == 4  # each way
    for rule, stop in zip(before.rules, (one for one in stops for _ in "12"), strict=True):
        assert ip_address(stop.address).packed in rule
        assert stop.port.to_bytes(2) + bytes(2) in rule
        assert stop.upstream.to_bytes(2) + bytes(2) in rule


def test_where_there_is_nothing_to_stop_no_table_is_made(monkeypatch):
    monkeypatch.setattr(fence, "NetlinkSocket", None)  # would fail

    async def nothing():
        fence.fence(())()

    asyncio.run(nothing())
