"""How any process knows an ambassador of this network namespace: its lock, the names of its tables,
and questions to rules that it has left (leftover.py). Pure.
"""

from __future__ import annotations

import re

from ambassador.model import Proto

__all__ = ["LOCK", "OURS", "QUESTIONS", "STANDS"]

# The process that binds this name has the table: a name in the abstract namespace of unix(7). Each
# network namespace has its own, and the kernel frees the name when the process is gone.
LOCK = "\0ambassador/kernel"

# The names of its tables (layout.py, owner.py), of the family inet.
OURS = re.compile(r"ambassador(?:-[0-9a-f]{6})?")

# A datagram to one of these addresses and the port of a route is refused (EPERM) while the rules
# forward clients of that port; to send it takes no privilege. Link-local multicast to groups that
# are not assigned (RFC 5771, section 4), so that no listener of the port receives it.
QUESTIONS = {Proto.TCP: "224.0.0.206", Proto.UDP: "224.0.0.217"}
# A datagram to this address is refused while the table exists, whether its rules forward or not.
STANDS = "224.0.0.219"
