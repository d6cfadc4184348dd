"""From answers to a verdict: one table.

    verdict     it answered                      it did not
    unknown     healthy                          unhealthy after `fall` in a row
    healthy     healthy                          unhealthy after `fall` in a row
    unhealthy   healthy after `rise` in a row    unhealthy

An endpoint that is not known yet gets sessions, so a program that has just started waits for no
probe.
"""

from __future__ import annotations

from dataclasses import dataclass

from ambassador.model import Health

__all__ = ["Verdict", "after"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What probes conclude of an endpoint, and how many answers in a row have spoken against
    that.
    """

    health: Health = Health.UNKNOWN
    against: int = 0


_WORKS = Verdict(Health.HEALTHY)


def after(verdict: Verdict, answered: bool, rise: int, fall: int) -> Verdict:
    """Return the verdict after one more answer; `rise` and `fall` are at least 1."""
    if answered and verdict == _WORKS:  # nearly always
        return verdict
    match verdict.health, answered:
        case (Health.UNKNOWN, True) | (Health.HEALTHY, True):
            return Verdict(Health.HEALTHY)
        case Health.UNHEALTHY, False:
            return Verdict(Health.UNHEALTHY)
        case Health.UNHEALTHY, True:
            enough, other = rise, Health.HEALTHY
        case _:
            enough, other = fall, Health.UNHEALTHY
    if verdict.against + 1 >= enough:
        return Verdict(other)
    return Verdict(verdict.health, verdict.against + 1)
