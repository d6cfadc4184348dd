"""The words of this project: one for each concept. `python -m tests.house.vocabulary` writes
docs/glossary.md from them, and test_vocabulary.py refuses words for which there is a better one.
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
        "snapshot": "all routes that a source has at one moment; never only the changes",
        "setting": "`AMBASSADOR_*` or `--setting`: for the whole program, not for one route",
    },
    "What happens to it": {
        "reconciler": "the loop that makes one change at a time",
        "desired": "the routes that sources and operator together want",
        "observed": "the routes that are installed",
        "plan": "the difference between desired and observed, as **steps**",
        "apply": "to perform steps: all or none",
        "wish": "what the operator wants of a route, laid over what the sources say",
        "control process": "the process that owns routes, names, probes and the API",
    },
    "What carries traffic": {
        "plane": "what carries the traffic of routes: `relay` or `kernel`",
        "relay": "the plane of sockets, in user space; it listens for every route",
        "kernel": "the plane of nftables; it stands in front of the relay",
        "entrance": "a check in front of a way: only clients of the allowed networks pass",
        "way": "what the kernel plane installs for one port in one address family",
        "flow": "the kernel's entry for one connection (conntrack), or a UDP client of the relay",
        "session": "one connection of a client, from its beginning to its end; for UDP, a flow",
        "client": "the side that connects to the ambassador",
        "upstream": "the side the ambassador connects to; bytes go `to_upstream` and `to_client`",
        "worker": "a process that accepts, connects and carries beside the control process",
        "door": "a listener of a route in a worker; also a listener of the admin API",
        "pass": "to let another process carry a session from now on, in its present state",
        "offload": "to let workers do the work that does not need the control process",
        "dial": "to connect to the one address that is known to be good",
        "search": "to try the endpoints of a route one after the other until one answers",
        "pick": "to choose an endpoint for a new session",
    },
    "What is known of an endpoint": {
        "admin": "the state the operator has set for it: ready, drain, maint",
        "health": "what probes have found: unknown, healthy, unhealthy",
        "presence": "whether the sources name it",
        "usable": "whether new sessions may go there; it follows from admin, health and presence",
        "probe": "one request to an endpoint, and the judgement of the answer",
        "evidence": "what sessions have shown of it: reached, refused, silent",
    },
    "What follows a primary": {
        "primary": "the member of a replicated store that takes writes; the others are replicas",
        "authority": "what says which member that is: the sentinels, or Patroni",
        "veto": "the answer of a member that forbids to use it: its ROLE is not master",
        "follow": "to lead clients to the member that the authority names",
        "switch": "a change of the primary",
        "freeze": "to cut and hold as soon as a sentinel has selected another member",
        "failback": "to go back to a member that was left",
        "lead": "the decision of a follower: where clients of a route go, and whether they wait",
    },
    "What many ambassadors share": {
        "fleet": "ambassadors that use the same keys in etcd (docs/fleet.md)",
        "service": "a name in etcd for endpoints: `etcd://redis`",
        "word": "the key that says where a service leads, for all ambassadors",
        "trial": "a move for canaries or with a hold, before it becomes the word",
        "announce": "to put an endpoint into etcd as long as it works",
        "canary": "an ambassador that moves before the others",
    },
    "What an operator does": {
        "hold": "to accept clients and not forward them yet",
        "release": "to forward the clients that are held",
        "move": "to point a route at other endpoints",
        "drain": "to give an endpoint no new sessions while the old ones finish",
        "cut": "to end sessions now: both sides see a reset",
        "maint": "to take an endpoint out; its sessions follow `existing`",
        "reset": "to drop the operator's changes of a route",
        "existing": "the policy for open sessions whose endpoint has left: keep, drain or cut",
        "allow": "to let clients of certain networks come in; **deny** is the opposite",
        "departure": "the end of a session because its endpoint has left, with its reason",
    },
    "When a process follows another": {
        "handover": "how one ambassador takes over from another (`run --upgrade`)",
        "predecessor": "the process that has the routes and gives them away",
        "successor": "the process that takes them",
        "transfer": "everything that goes from the predecessor to the successor",
        "earlier process": "a predecessor that still has sessions, which could not be passed",
        "supervisor": "process 1 of the image: it starts the program, and again after a kill",
        "piece": "copies of some sessions, sent while the sessions are still carried",
    },
}

# Words that no module, class, function or argument has as a name: word -> the better one.
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
        "One word for each concept, in the code, the API, the log and these pages. `./dev pages`",
        "writes this page from `tests/house/vocabulary.py`.",
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
