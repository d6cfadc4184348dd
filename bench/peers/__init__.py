"""The go-betweens that are measured, in the order of the document."""

from __future__ import annotations

from bench.peers import ambassador, direct, envoy, haproxy, nginx, socat
from bench.peers.peer import Peer

__all__ = ["OTHERS", "OURS", "PEERS", "PROXIES"]

# "The best peer" is the best of these.
OTHERS: tuple[Peer, ...] = (socat.PEER, haproxy.PEER, nginx.PEER, envoy.PEER)
# "The best proxy" is the best of these, whatever else was measured beside them.
PROXIES = tuple(peer for peer in OTHERS if not peer.process_a_session)
OURS: tuple[Peer, ...] = (ambassador.RELAY, ambassador.RELAY_ALONE, ambassador.KERNEL)
PEERS = {peer.name: peer for peer in (direct.PEER, *OTHERS, *OURS)}
