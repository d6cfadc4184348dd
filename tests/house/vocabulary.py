"""The words of this project: one a concept. `python -m tests.house.vocabulary` writes
docs/glossary.md from them, and test_vocabulary.py keeps the words that have a better one out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["PAGE", "PROSE", "TERMS", "WORDS", "glossary"]

PAGE = Path(__file__).parents[2] / "docs" / "glossary.md"

# Groups of terms in the order in which a reader meets them: term -> what it means.
TERMS: Mapping[str, Mapping[str, str]] = {
    "What is configured": {
        "route": "a listen address, endpoints and options, under a name",
        "listen": "the address where clients of a route connect; the field of that name",
        "listener": "the socket bound to it; only the relay has one",
        "endpoint": "one address where traffic of a route may go, as it is written",
        "source": "where routes come from: the environment, a file, `/etc/hosts`",
        "snapshot": "all that a source says at one moment; never a difference",
        "setting": "`AMBASSADOR_*` or `--setting`: it is of the whole program, not of one route",
    },
    "What happens to it": {
        "reconciler": "the loop that makes one change at a time",
        "desired": "what sources and operator together want",
        "observed": "what is installed",
        "plan": "the difference between the two, as **steps**",
        "apply": "to perform steps: all or none",
        "wish": "what the operator wants of a route, laid over what the sources say",
        "control process": "the process that owns routes, names, probes and the API",
    },
    "What carries traffic": {
        "plane": "what carries the traffic of routes: `relay` or `kernel`",
        "relay": "the plane of sockets, in user space; it listens for every route",
        "kernel": "the plane of nftables; it stands in front of the relay",
        "entrance": "what stands in front of a way where not everybody may come in",
        "way": "what the kernel plane installs for one port in one address family",
        "flow": "what the kernel knows of one connection (conntrack), or a UDP client of the relay",
        "session": "one client connection through its life; a flow, where it is UDP",
        "client": "the side that connected to us",
        "upstream": "the side that we connected to; bytes flow `to_upstream` and `to_client`",
        "worker": "a process that accepts, connects and carries beside the control process",
        "door": "a listener of a route, as workers have it",
        "pass": "to have another process carry a session from now on, in the state it is in",
        "offload": "to let workers do what can be done without the control process",
        "dial": "to connect to the one address that is known to be good",
        "search": "to try the endpoints of a route one after the other until one answers",
        "pick": "to choose an endpoint for a new session",
    },
    "What is known of an endpoint": {
        "admin": "what the operator wants of it: ready, drain, maint",
        "health": "what probes conclude of it: unknown, healthy, unhealthy",
        "presence": "whether the sources name it",
        "usable": "whether new sessions may go there; it follows from the three",
        "probe": "one question to an endpoint, and the judgement of the answer",
        "evidence": "what sessions have shown of it: reached, refused, silent",
    },
    "What follows a primary": {
        "primary": "the member of a replicated store that takes writes; the others are replicas",
        "authority": "who says which member that is: the sentinels",
        "veto": "what a member may say against that: ROLE is not master",
        "follow": "to be led by the authority",
        "switch": "a change of the primary",
        "freeze": "to cut and hold before the authority has spoken, because a member was selected",
        "failback": "to go back to a member that was left",
        "lead": "what a follower says of a route: where clients go, and whether they wait",
    },
    "What many ambassadors share": {
        "fleet": "ambassadors that go by the same keys in etcd (docs/fleet.md)",
        "service": "a name in etcd that endpoints have: `etcd://redis`",
        "word": "where an operator wants a service to lead, for all",
        "trial": "a move that is tried, or held, before it is the word",
        "announce": "to put an endpoint into etcd as long as it works",
        "canary": "an ambassador that goes first",
    },
    "What an operator does": {
        "hold": "to accept clients and not forward them yet",
        "release": "to forward the clients that are held",
        "move": "to point a route at other endpoints",
        "drain": "to give an endpoint no new sessions while the old ones finish",
        "cut": "to end sessions now: both sides see a reset",
        "maint": "to take an endpoint out; its sessions follow `existing`",
        "reset": "to drop what the operator wanted of a route",
        "existing": "the policy for open sessions whose endpoint has left: keep, drain or cut",
        "allow": "to let clients of certain networks come in; **deny** is the opposite",
        "departure": "the end of a session because its endpoint has left, with its reason",
    },
    "When a process follows another": {
        "handover": "how one ambassador takes over from another (`run --upgrade`)",
        "predecessor": "the process that has the routes and gives them away",
        "successor": "the process that takes them",
        "transfer": "all that goes from one to the other",
        "earlier process": "a predecessor that has sessions still, which could not go along",
        "supervisor": "process 1 of the image: starts the program, and again where it was killed",
        "piece": "copies of some sessions, on their way while they are carried on",
    },
}

# Words that are no names of modules, classes, functions or arguments: word -> the better one.
WORDS: Mapping[str, str] = {
    **dict.fromkeys(("backend", "backends", "target", "targets"), "endpoint"),
    **dict.fromkeys(("server", "servers"), "endpoint, or what it serves"),
    **dict.fromkeys(("pool", "cluster"), "endpoints"),
    **dict.fromkeys(("manager", "handler", "helper", "helpers", "util", "utils"), "what it does"),
    **dict.fromkeys(("former", "leavers", "estate", "heritage", "legacy"), "earlier, transfer"),
    **dict.fromkeys(("giver", "taker", "stayer", "giving", "taking"), "predecessor, successor"),
    **dict.fromkeys(("gate", "young"), "hold queue, keepalive"),
    **dict.fromkeys(("wire", "carrier", "carriers"), "connection, protocol, worker"),
    **dict.fromkeys(("besides", "layered"), "reloadable, stack"),
}

# Words that no page, docstring or message of the program uses: pattern -> the better one.
PROSE: Mapping[str, str] = {
    r"lest": "so that ... not",
    r"bears?|bore": "withstand, have, accept",
    r"(?:come|comes|came) by": "get",
    r"former(?:ly)?": "earlier, old",
    r"heritage|estate": "transfer",
}


def glossary() -> str:
    """Return docs/glossary.md."""
    lines = [
        "# Glossary",
        "",
        "One word a concept, in the code, the API, the log and these pages. Written by",
        "`./dev pages` from `tests/house/vocabulary.py`.",
    ]
    for group, terms in TERMS.items():
        lines += ["", f"## {group}", "", "| word | meaning |", "|---|---|"]
        lines += [f"| **{term}** | {meaning} |" for term, meaning in terms.items()]
    lines += ["", "## Words with a better one", "", "| not | but |", "|---|---|"]
    better: dict[str, list[str]] = {}
    for word, one in WORDS.items():
        better.setdefault(one, []).append(word)
    lines += [f"| {', '.join(words)} | {one} |" for one, words in better.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(glossary())
