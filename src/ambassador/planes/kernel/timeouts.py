"""How long connection tracking keeps silent flows: timeout policies of nft(8). Pure."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["POLICY", "timeout"]

# The longest time that works with any HZ of the kernel: more than 2^31 jiffies count as past.
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
    # goes to the same upstream (nf_conntrack_proto_tcp.c, "may be out of sync"). After 1 s that
    # entry is gone, and the repeated SYN gets a new one.
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
