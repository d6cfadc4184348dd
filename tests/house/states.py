"""docs/states.md: every state machine of the program, drawn from its table by `./dev states`.

What a state or an event means is the comment behind it in the code; what follows is asked of the
table, or of the function that is one.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ambassador.core import departure, health, phase, session
from ambassador.core.follow import claims, sentinel, stage
from ambassador.model import Health
from ambassador.planes.kernel import evidence, life

__all__ = ["MACHINES", "PAGE", "Machine", "meanings", "page"]

PAGE = Path(__file__).parents[2] / "docs" / "states.md"
# One edge of a machine: what happens in a state, which state follows, and what is done about it.
Edge = tuple[str, str, str, str]


@dataclass(frozen=True)
class Machine:
    """A state machine as the page shows it. `aside`: events that the drawing leaves out."""

    title: str
    where: str
    text: str
    states: Mapping[str, str]
    events: Mapping[str, str]
    edges: Sequence[Edge]
    aside: frozenset[str] = frozenset()


def word(member: Enum) -> str:
    """Return `client ended` for State.CLIENT_ENDED."""
    return member.name.lower().replace("_", " ")


def meanings(kind: type[Enum]) -> dict[str, str]:
    """Return each member's word, with the comment behind it in the code."""
    source = textwrap.dedent(inspect.getsource(kind))
    lines = source.splitlines()
    found = {}
    for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in kind.__members__:
                _, _, comment = lines[node.lineno - 1].partition("  # ")
                found[word(kind[name])] = comment
    return found


def _session() -> Machine:
    edges = [
        (word(state), word(event), word(following), ", ".join(map(word, actions)))
        for (state, event), (following, actions) in session.TABLE.items()
    ]
    return Machine(
        "A session of the relay",
        "src/ambassador/core/session.py",
        "Sessions of a worker use the same table, from `accepted` on; in the first process they "
        "are `handed`. A session that is passed arrives in the state in which it was sent. "
        "`ambassador sessions` shows `held` as held, `accepted`, `dialling` "
        "and `searching` as waiting, and every later state as open, or as leaving if the "
        "endpoint has left.",
        meanings(session.State),
        meanings(session.Event),
        edges,
        frozenset({"cut", "anew"}),
    )


def _standing() -> Machine:
    edges = [
        (word(standing), word(look), word(following), "")
        for (standing, look), following in departure.STANDING.items()
    ]
    return Machine(
        "Whether the endpoint of a session still belongs to its route",
        "src/ambassador/core/departure.py",
        "This is independent of the state of the session. A session that begins to leave follows "
        "the policy of that moment; if its endpoint comes back, the session stays.",
        meanings(departure.Standing),
        meanings(departure.Look),
        edges,
    )


def _life() -> Machine:
    edges = [
        (word(stage), word(event), word(following), "")
        for (stage, event), following in life.TABLE.items()
    ]
    return Machine(
        "A route in the kernel plane",
        "src/ambassador/planes/kernel/life.py",
        "The relay listens for the route in every stage.",
        meanings(life.Stage),
        meanings(life.Event),
        edges,
        frozenset({"lost", "remove"}),
    )


def _evidence() -> Machine:
    fault = evidence.Fault(evidence.Kind.UNREACHABLE, "it refuses")
    suspect = evidence.Doubt(fault, until=100.0, pause=evidence.FIRST)
    doubts = {"well": None, "out": suspect, "on trial": _replace(suspect)}

    def named(doubt: evidence.Doubt | None) -> str:
        if doubt is None:
            return "well"
        return "out" if doubt.out else "on trial"

    edges = []
    for name, doubt in doubts.items():
        for event in evidence.Event:
            if doubt is None and event is not evidence.Event.FAILS:
                continue
            following, saying = evidence.step(doubt, event, 100.0, fault)
            done = [f"say that it is {saying}"] if saying is not evidence.Saying.NOTHING else []
            if following is not None and following.out and doubt is not None:
                done.append("twice as long" if following.pause > doubt.pause else "as long on")
            edges.append((name, word(event), named(following), ", ".join(done)))
    return Machine(
        "A way through the kernel, or an address, under suspicion",
        "src/ambassador/planes/kernel/evidence.py",
        f"It is out for {evidence.FIRST:g} s at first, and for {evidence.LONGEST:g} s at most. A "
        "fault that can be seen on this host is checked again without growing pauses.",
        {
            "well": "there is no doubt about it",
            "out": "it gets no new flows",
            "on trial": "it gets new flows again; the next failure puts it out for longer",
        },
        meanings(evidence.Event),
        edges,
    )


def _replace(doubt: evidence.Doubt) -> evidence.Doubt:
    return evidence.Doubt(doubt.fault, doubt.until, doubt.pause, out=False)


def _health() -> Machine:
    rise, fall, edges = 2, 3, []
    rows = {
        1: "",
        rise: "when it is the `rise`th in a row",
        fall: "when it is the `fall`th in a row",
    }
    for state in Health:
        for answered in (True, False):
            verdict, count = health.after(health.Verdict(state), answered, rise, fall), 1
            while verdict.health is state and verdict.against:
                verdict, count = health.after(verdict, answered, rise, fall), count + 1
            event = "answers" if answered else "fails"
            edges.append((word(state), event, word(verdict.health), rows[count]))
    return Machine(
        "The health of an endpoint",
        "src/ambassador/core/health.py",
        "An endpoint that is unhealthy gets no new sessions, and its open ones follow `existing`.",
        meanings(Health),
        {"answers": "the probe has got a good answer", "fails": "the probe has not"},
        edges,
    )


def _phase() -> Machine:
    edges = [
        (word(one), word(turn), word(following), "")
        for (one, turn), following in phase.PHASES.items()
    ]
    return Machine(
        "The program",
        "src/ambassador/core/phase.py",
        "`ambassador healthcheck` and /readyz say yes while it is `ready`.",
        meanings(phase.Phase),
        meanings(phase.Turn),
        edges,
    )


def _sentinel() -> Machine:
    edges = [
        (word(one), word(event), word(following), "")
        for (one, event), following in sentinel.TABLE.items()
    ]
    return Machine(
        "The primary of a route that follows sentinels",
        "src/ambassador/core/follow/sentinel.py",
        "In `using` clients are let through; in `waiting` new ones wait and open sessions go on; "
        "in every other stage new ones wait and open sessions have been cut.",
        meanings(stage.Stage),
        meanings(sentinel.Event),
        edges,
    )


def _claims() -> Machine:
    edges = [
        (word(one), word(event), word(following), "")
        for (one, event), following in claims.TABLE.items()
    ]
    states = {word(one): meanings(stage.Stage)[word(one)] for one, _ in claims.TABLE}
    return Machine(
        "The primary of a route whose members say themselves what they are",
        "src/ambassador/core/follow/claims.py",
        "The findings differ by kind: `core/follow/lineage.py` for Redis and Valkey, "
        "`core/follow/timeline.py` for PostgreSQL, `core/follow/readonly.py` for MariaDB, "
        "`core/follow/patroni.py` for PostgreSQL with Patroni, where a member claims the lock.",
        states,
        meanings(claims.Event),
        edges,
    )


MACHINES: tuple[Machine, ...] = (
    _session(),
    _standing(),
    _life(),
    _evidence(),
    _health(),
    _phase(),
    _sentinel(),
    _claims(),
)


def _drawing(machine: Machine) -> Iterable[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    first = next(iter(machine.states))
    yield f"    [*] --> {_id(first)}"
    grouped: dict[tuple[str, str], list[str]] = {}
    for state, event, following, _ in machine.edges:
        if state != following and event not in machine.aside:
            grouped.setdefault((state, following), []).append(event)
    for (state, following), events in grouped.items():
        yield f"    {_id(state)} --> {_id(following)}: {', '.join(events)}"
    yield "```"


def _id(state: str) -> str:
    return state.replace(" ", "_")


def _section(machine: Machine) -> Iterable[str]:
    yield from ("", f"## {machine.title}", "")
    yield f"`{machine.where}`. {machine.text}"
    yield ""
    yield from _drawing(machine)
    if machine.aside:
        yield ""
        yield f"The drawing leaves out: {', '.join(sorted(machine.aside))}."
    yield from ("", "| state | what it is |", "|---|---|")
    yield from (f"| **{state}** | {text} |" for state, text in machine.states.items())
    yield from ("", "| event | what happened |", "|---|---|")
    yield from (f"| {event} | {text} |" for event, text in machine.events.items())
    yield from ("", "| in | on | then | and |", "|---|---|---|---|")
    for place in machine.states:
        for state, event, following, done in machine.edges:
            if state == place:
                then = "" if following == state else following
                yield f"| **{state}** | {event} | {then} | {done} |"


def page() -> str:
    """Return docs/states.md."""
    lines = [
        "# States",
        "",
        "Every state machine of the program, drawn from its table by `./dev states`. A pair of",
        "state and event that is not in the last table of a section cannot happen, and would be a",
        "bug. If `then` is empty, the state stays.",
    ]
    for machine in MACHINES:
        lines += _section(machine)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
