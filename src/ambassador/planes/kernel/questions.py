"""What anybody may ask rules that an ambassador has left, without a privilege (leftover.py).

Pure.
"""

from __future__ import annotations

from ambassador.model import Proto

__all__ = ["LOCK", "QUESTIONS", "STANDS"]

# Whose the table is: a name in the abstract namespace of unix(7), which every network namespace has
# for itself, and which is free again when its process is gone, however it went.
LOCK = "\0ambassador/kernel"

# A datagram to one of these and the port of a route is refused (EPERM) while the rules lead its
# clients on, which anybody may ask without a privilege; see leftover.py. Multicast of the link to
# groups that nobody has (RFC 5771, section 4), so that no listener of the port receives it.
QUESTIONS = {Proto.TCP: "224.0.0.206", Proto.UDP: "224.0.0.217"}
# One to this address is refused while the table stands, whether its rules lead clients on or not.
STANDS = "224.0.0.219"
