"""Log lines about ways that do not work."""

from __future__ import annotations

from ambassador import log
from ambassador.planes.kernel.evidence import Fault, Saying, Suspect
from ambassador.planes.kernel.route import KernelRoute

__all__ = ["tell", "tell_of_guard"]


def tell(one: KernelRoute, suspect: Suspect, saying: Saying, found: Fault) -> None:
    """Log that the ways of one family of a route, or one address, are out of use or back. The relay
    logs it for whole endpoints.
    """
    whole = suspect.endpoint is not None and (
        not suspect.address or len(one.places_of(suspect.endpoint, "")) < 2
    )
    if saying is Saying.NOTHING or whole:
        return
    name, away = one.route.name, saying is Saying.OUT
    if suspect.address:
        family = "IPv6" if ":" in suspect.address else "IPv4"
        text = found.why if away else f"{suspect.address} gets new sessions again"
    else:
        family = "IPv6" if suspect.ipv6 else "IPv4"
        text = f"new {family} sessions go to the {'relay' if away else 'kernel'}"
        text += f": {found.why}" if away else " again"
    log.event(
        log.WARNING if away else log.INFO,
        "way_out" if away else "way_back",
        f"{name}  {text}",
        route=name,
        family=family,
        address=suspect.address,
        kind=str(found.kind),
        reason=found.why,
    )


def tell_of_guard(one: KernelRoute, guard: str) -> None:
    """Log that the kernel, which is demanded, bypasses a `guard` of the port (see `hindrances`)."""
    log.event(
        log.WARNING,
        "guard_passed_by",
        f"{one.route.name}  {guard}; in the kernel, which is required, clients bypass it",
        route=one.route.name,
        reason=guard,
    )
