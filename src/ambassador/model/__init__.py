"""The nouns of the product as frozen values, without behaviour except what follows from their
fields.
"""

from __future__ import annotations

from ambassador.model.reasons import Existing, Fate, Reason
from ambassador.model.route import (
    Address,
    Admin,
    Admitted,
    Desired,
    Endpoint,
    Failback,
    Finding,
    Follow,
    Health,
    Hold,
    Inet,
    Limit,
    Pick,
    Promote,
    Proto,
    Ranges,
    Rate,
    Resolve,
    Route,
    RouteKey,
    Snapshot,
    Tls,
    Unix,
    Verify,
)

__all__ = [
    "Address",
    "Admin",
    "Admitted",
    "Desired",
    "Endpoint",
    "Existing",
    "Failback",
    "Fate",
    "Finding",
    "Follow",
    "Health",
    "Hold",
    "Inet",
    "Limit",
    "Pick",
    "Promote",
    "Proto",
    "Ranges",
    "Rate",
    "Reason",
    "Resolve",
    "Route",
    "RouteKey",
    "Snapshot",
    "Tls",
    "Unix",
    "Verify",
]
