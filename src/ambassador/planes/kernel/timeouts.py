"""How long connection tracking keeps what is silent: timeout policies of nft(8). Pure."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["POLICY", "timeout"]

# The longest time that is right at any HZ: more than 2^31 jiffies would be in the past at once.
# By default conntrack forgets a half-closed flow after 60 s and a silent one after 5 days.
_FOREVER = 2_000_000
POLICY = {
    "syn_sent": 1,
    "syn_recv": 60,
    "established": _FOREVER,
    "fin_wait": _FOREVER,
    "close_wait": _FOREVER,
    "last_ack": 300,  # as long as a sender repeats its FIN
    "time_wait": 10,  # 120 by default: 2,000 new connections a second would fill the table
    # A SYN from the port of a connection that its upstream has reset belongs to the same entry, and
    # leads where that led (nf_conntrack_proto_tcp.c, "may be out of sync"): its repetition, after
    # 1 s, does not.
    "close": 1,
    "retrans": 300,
    "unack": 300,
}


def timeout(
    name: str, proto: str, ipv6: bool, policy: Mapping[str, int], verb: str = "  ct timeout"
) -> str:
    """Return the definition of a timeout policy: states of conntrack to seconds."""
    listed = ", ".join(f"{state} : {seconds}" for state, seconds in policy.items())
    lines = [
        f"{verb} {name} {{",
        f"    protocol {proto}",
        f"    l3proto {'ip6' if ipv6 else 'ip'}",
        f"    policy = {{ {listed} }}",
        "  }",
    ]
    return "\n".join(lines)
