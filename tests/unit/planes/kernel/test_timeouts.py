"""Timeout policies: what nft reads."""

from ambassador.planes.kernel.timeouts import timeout


def test_a_timeout_policy_names_protocol_and_family():
    words = " ".join(timeout("x", "udp", True, {"replied": 5}).split())
    assert words == "ct timeout x { protocol udp l3proto ip6 policy = { replied : 5 } }"
