"""Texts and JSON of `ambassador fleet status`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ambassador.cli.text import table
from ambassador.model import Endpoint
from ambassador.spec import format_endpoint, format_endpoints
from ambassador.spec.moments import format_moment

if TYPE_CHECKING:
    from ambassador.app.operate import Standing

__all__ = ["all_services", "as_json", "one_service"]


def _leads(one: Standing) -> str:
    if one.word.endpoints:
        return format_endpoints(one.word.endpoints)
    if one.announced:
        return format_endpoints(offer.endpoint for offer in one.announced.values())
    return "as the routes say"


def all_services(found: Mapping[str, Standing]) -> str:
    """Return a table of all services."""
    rows = [
        (
            name,
            _leads(one),
            "word" if one.word.endpoints else "announced" if one.announced else "",
            str(len(one.reports)),
            str(sum(report.state == "refused" for report in one.reports.values())),
            one.word.who,
            "" if one.trial is None else f"{one.trial.kind} by {one.trial.who}",
        )
        for name, one in found.items()
    ]
    head = ("SERVICE", "LEADS TO", "BY", "FOLLOWED", "REFUSED", "WHO", "TRIED")
    return table(head, rows) if rows else "there are no services"


def one_service(name: str, one: Standing) -> str:
    """Return everything about one service, with each ambassador on a line."""
    facts = [("service", name), ("leads to", _leads(one))]
    if one.word.who:
        facts.append(("by", f"{one.word.who} at {format_moment(one.word.when)}"))
    if one.trial is not None:
        where = format_endpoints(one.trial.endpoints)
        facts.append(("tried", f"{one.trial.kind} by {one.trial.who}: {where}"))
    facts += [
        ("announced", f"{format_endpoint(offer.endpoint)} by {offer.who}")
        for offer in one.announced.values()
    ]
    facts.append(("followed", f"by {len(one.reports)}"))
    rows = [
        (who, report.state, ", ".join(report.endpoints), report.why)
        for who, report in one.reports.items()
    ]
    text = table(("", ""), facts).lstrip()
    return f"{text}\n\n{table(('AMBASSADOR', 'STATE', 'LEADS TO', 'WHY'), rows)}"


def as_json(one: Standing) -> dict[str, Any]:
    """Return one service as plain values for JSON."""
    return {
        "endpoints": _urls(one.word.endpoints),
        "who": one.word.who,
        "when": one.word.when,
        "revision": one.revision,
        "trial": None
        if one.trial is None
        else {
            "kind": one.trial.kind,
            "endpoints": _urls(one.trial.endpoints),
            "who": one.trial.who,
        },
        "announced": {who: format_endpoint(o.endpoint) for who, o in one.announced.items()},
        "followed": {
            who: {
                "state": report.state,
                "revision": report.revision,
                "endpoints": list(report.endpoints),
                "why": report.why,
                "host": report.host,
            }
            for who, report in one.reports.items()
        },
    }


def _urls(endpoints: Sequence[Endpoint]) -> list[str]:
    return [format_endpoint(endpoint) for endpoint in endpoints]
