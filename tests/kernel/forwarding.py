"""A smallest ruleset that forwards, so that flows can be tried without the whole plane."""

from __future__ import annotations

from collections.abc import Iterable

from ambassador.planes.kernel.layout import LABEL
from tests.netns import Network

__all__ = ["Element", "forward"]

Element = tuple[str, int, str, int]  # protocol, listen port, address, port

RULES = """
table inet forwarding {{
  map endpoints  {{ type inet_proto . inet_service : ipv4_addr . inet_service; {four} }}
  map endpoints6 {{ type inet_proto . inet_service : ipv6_addr . inet_service; {six} }}
  chain poke {{
    type filter hook output priority raw
    meta mark & 0xfffffffc == 0xc04 tcp flags & ack == ack notrack
  }}
  chain translate {{
    meta mark & 0xfffffffc == 0xc04 return
    meta l4proto tcp tcp flags & (fin|syn|rst|ack) != syn return
    ct label set {label}
    meta nfproto ipv4 dnat ip  to meta l4proto . th dport map @endpoints
    meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @endpoints6
  }}
  chain prerouting  {{ type nat hook prerouting priority dstnat; fib daddr type local jump translate; }}
  chain output      {{ type nat hook output priority -100; fib daddr type local jump translate; }}
  chain postrouting {{ type nat hook postrouting priority srcnat; ct status dnat masquerade; }}
  chain count       {{ type filter hook forward priority filter; ct bytes > 0; }}
}}
"""  # noqa: E501


def forward(network: Network, *elements: Element) -> None:
    """Let the ambassador's namespace forward these; what was forwarded before goes on."""
    text = RULES.format(
        label=LABEL,
        four=_elements(e for e in elements if ":" not in e[2]),
        six=_elements(e for e in elements if ":" in e[2]),
    )
    replace = "table inet forwarding\ndelete table inet forwarding\n"
    network.ambassador.run("nft", "-f", "-", stdin=replace + text)


def _elements(elements: Iterable[Element]) -> str:
    listed = [f"{proto} . {port} : {address} . {there}" for proto, port, address, there in elements]
    return f"elements = {{ {', '.join(listed)} }}" if listed else ""
