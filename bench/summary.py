"""The goals with what a run says of them: for the page, and for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bench.figures import Figures
from bench.goals import Outcome, judge
from bench.samples import Run
from bench.text import span

__all__ = ["HEAD", "goal_rows", "summary"]

HEAD = ("what", "to reach", "median (minimum to maximum)", "")
_REACHED = {True: "reached", False: "not reached", None: "not measured"}


def goal_rows(figures: Figures, *, bold: bool = False) -> Iterator[tuple[str, ...]]:
    """Yield a row for each goal, with the words of HEAD; `bold` where one is not reached."""
    for outcome in judge(figures):
        yield _row(outcome, bold)


def summary(run: Run) -> str:
    """Return the goals of which a run says something as lines in columns, empty without any."""
    outcomes = [o for o in judge(Figures(run.samples)) if o.found or o.why]
    if not outcomes:
        return ""
    rows = [HEAD, *(_row(outcome, bold=False) for outcome in outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]}".rstrip()
        for row in rows
    )


def _row(outcome: Outcome, bold: bool) -> tuple[str, ...]:
    goal = outcome.goal
    if goal.bound is None:
        return goal.text, "", span(outcome.found, 2), "to compare"
    bound = f"{'at most' if goal.at_most else 'at least'} {goal.bound:g}"
    verdict = _REACHED[outcome.reached]
    if outcome.found is None and outcome.why:
        verdict += f": {outcome.why}"
    if bold and outcome.reached is False:
        verdict = f"**{verdict}**"
    return goal.text, bound, span(outcome.found, 2), verdict
