"""Every interface between the core and the world; each has a suite in tests/contract that runs on
each implementation. What planes report of routes and sessions is defined in `core.reports`, and is
exported here, too.
"""

from __future__ import annotations

from ambassador.core.reports import (
    AddressProbed,
    EndpointMet,
    RouteStatus,
    SessionRecord,
    SessionStatus,
)
from ambassador.ports.planes import (
    Earlier,
    ForwardingPlane,
    Front,
    Holder,
    ListeningPlane,
    Passing,
    Piece,
    Plane,
    Transferable,
)
from ambassador.ports.probes import (
    Dialogue,
    Probe,
    Verifier,
)
from ambassador.ports.sources import (
    Admission,
    Engines,
    NameFeed,
    Reloadable,
    Resolver,
    Source,
)
from ambassador.ports.stores import (
    HistoryStore,
    MemoryStore,
    StateStore,
)
from ambassador.ports.told import (
    ClientArrived,
    EndpointJudged,
    EndpointNoticed,
    LeadReported,
    LoggingIn,
    MetricsPage,
    SessionEnded,
    SessionsSummed,
    unheard,
)

__all__ = [
    "AddressProbed",
    "Admission",
    "ClientArrived",
    "Dialogue",
    "Earlier",
    "EndpointJudged",
    "EndpointMet",
    "EndpointNoticed",
    "Engines",
    "ForwardingPlane",
    "Front",
    "HistoryStore",
    "Holder",
    "LeadReported",
    "ListeningPlane",
    "LoggingIn",
    "MemoryStore",
    "MetricsPage",
    "NameFeed",
    "Passing",
    "Piece",
    "Plane",
    "Probe",
    "Reloadable",
    "Resolver",
    "RouteStatus",
    "SessionEnded",
    "SessionRecord",
    "SessionStatus",
    "SessionsSummed",
    "Source",
    "StateStore",
    "Transferable",
    "Verifier",
    "unheard",
]
