"""Read rules of other programs, from the output of `nft -a -s -t list ruleset` and of
`iptables-legacy-save`. Pure.

Rules of the older iptables are translated into the syntax of nft, so that `firewall` can judge both
alike.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from ambassador.planes.kernel.firewall import Chain, Rule
from ambassador.planes.kernel.questions import OURS

__all__ = ["parse_nft", "parse_saved"]

_TABLE = re.compile(r"table (\S+) (\S+) \{")
_CHAIN = re.compile(r"\tchain (\S+) \{")
_BASE = re.compile(r"type (\S+) hook (\S+)(?: device \S+)? priority [^;]+;(?: policy (\S+);)?")
_HANDLE = re.compile(r" # handle (\d+)$")
_PORTS = {"--dport": "dport", "--sport": "sport", "--dports": "dport", "--sports": "sport"}
# Modules of iptables whose options are understood; for others a rule "matches perhaps"
# (iptables-extensions(8)).
_MATCHES = ("tcp", "udp", "comment", "conntrack", "state", "multiport", "connlabel", "addrtype")
_VERDICTS = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "reject", "RETURN": "return"}
_VERDICTS |= {"QUEUE": "queue", "NFQUEUE": "queue"}


def parse_nft(text: str) -> list[Chain]:
    """Return the chains of all tables but our own."""
    found: list[Chain] = []
    table: tuple[str, str] | None = None
    name, base, rules = "", ("", "", "accept"), list[Rule]()
    for line in text.splitlines():
        if start := _TABLE.match(line):
            table = start[1], start[2]
        elif start := _CHAIN.match(line):
            name, base, rules = start[1], ("", "", "accept"), []
        elif line == "\t}":
            if name and table and not (table[0] == "inet" and OURS.fullmatch(table[1])):
                kind, hook, policy = base
                found.append(Chain(*table, name, hook, kind, policy, tuple(rules)))
            name = ""
        elif name and line.startswith("\t\t"):
            text = line.strip()
            if start := _BASE.match(text):
                base = start[1], start[2], start[3] or "accept"
            elif not text.startswith("comment "):
                handle = _HANDLE.search(text)
                rule = _HANDLE.sub("", text)
                rules.append(Rule(" ".join(rule.split()), handle[1] if handle else ""))
    return found


def parse_saved(text: str, family: str) -> list[Chain]:
    """Return the chains of the table `filter` that iptables-legacy-save(8) prints."""
    import shlex  # noqa: PLC0415 (where there are such rules)

    policies, rules, table = dict[str, str](), dict[str, list[Rule]](), ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif table == "filter" and line.startswith(":"):
            name, policy = line[1:].split()[:2]
            policies[name], rules[name] = policy, []
        elif table == "filter" and line.startswith("-A "):
            words = shlex.split(line)
            rules[words[1]].append(Rule(" ".join(_translated(words[2:], family, policies))))
    return [
        Chain(
            family,
            "filter",
            name,
            name.lower() if policy != "-" else "",
            "filter" if policy != "-" else "",
            "drop" if policy == "DROP" else "accept",
            tuple(rules[name]),
            legacy=True,
        )
        for name, policy in policies.items()
    ]


def _translated(  # noqa: PLR0912 (one case an option)
    words: list[str], family: str, chains: Container[str]
) -> Iterator[str]:
    proto, no = "th", ""
    left = iter(words)
    for word in left:
        match word:
            case "!":
                no = "!= "
                continue
            case "-p":
                proto = next(left)
                yield f"meta l4proto {no}{proto}"
            case "-s" | "-d":
                yield f"{family} {'saddr' if word == '-s' else 'daddr'} {no}{next(left)}"
            case "-i" | "-o":
                yield f'{"iifname" if word == "-i" else "oifname"} {no}"{next(left)}"'
            case "--ctstate" | "--state":
                states = next(left).lower()
                key = "status" if set(states.split(",")) <= {"dnat", "snat"} else "state"
                yield f"ct {key} {no}{states}"
            case "--dport" | "--sport" | "--dports" | "--sports":
                ports = next(left).replace(":", "-")
                port = f"{{ {ports} }}" if "," in ports else ports
                yield f"{proto if proto in ('tcp', 'udp') else 'th'} {_PORTS[word]} {no}{port}"
            case "--dst-type":
                yield f"fib daddr type {no}{next(left).lower()}"
            case "--tcp-flags":
                mask, flags = next(left).lower(), next(left).lower()
                yield f"tcp flags & ({mask.replace(',', '|')}) {no or '== '}{flags}"
            case "--label":
                yield f"ct label {next(left)}"
            case "--comment":
                next(left)
            case "-m" if next(left) in _MATCHES:
                pass
            case "-j" | "-g":
                target = next(left)
                if target in _VERDICTS:
                    yield _VERDICTS[target]
                elif target in chains:  # after other targets (LOG, MARK, SET) the packet goes on
                    yield f"{'jump' if word == '-j' else 'goto'} {target}"
                return  # options of the target follow
            case _:
                yield "xt"  # matches perhaps
        no = ""
