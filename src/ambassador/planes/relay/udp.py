"""UDP: a flow stands for a client; its answers leave from the address the client spoke to.

A flow has one connected upstream socket, so that only its endpoint can answer (connect(2)) and
that a refusal (ICMP port unreachable) is learnt. Datagrams are never kept, except the first few
of a flow while its endpoint's name is asked for: then they wait in order.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ambassador import log
from ambassador.core.flows import Flows
from ambassador.errors import ResolveError
from ambassador.model import Inet
from ambassador.planes.relay import pktinfo
from ambassador.planes.relay.descriptors import EXHAUSTED, Descriptors
from ambassador.planes.relay.flow import UdpFlow
from ambassador.planes.relay.sockets import close_listener
from ambassador.planes.relay.state import DOUBT, Candidate, RouteState
from ambassador.ports import Resolver
from ambassador.tasks import spawn

__all__ = ["UdpListener"]

_LARGEST = 65536  # a UDP length field counts to 65,535 (RFC 768)
# Datagrams in one go before other work of the loop has its turn; about a millisecond.
_BATCH = 64
# A changed `idle` is noticed after at most this long.
_LONGEST_SWEEP = 5.0
# The endpoint cannot be reached, as opposed to: this datagram cannot be sent now.
_UNREACHABLE = frozenset(
    {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}
)
