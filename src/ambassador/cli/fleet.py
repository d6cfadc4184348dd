"""`ambassador fleet VERB`: move services for all ambassadors of an etcd."""

from __future__ import annotations

import getpass
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from ambassador.cli.flags import setting_flags
from ambassador.cli.fleet_text import all_services, one_service
from ambassador.cli.fleet_text import as_json as as_plain
from ambassador.cli.running import duration
from ambassador.cli.terminal import complain
from ambassador.cli.text import safe, table
from ambassador.core.fleet.keys import NAME
from ambassador.core.fleet.progress import Progress, bar, followers_left
from ambassador.errors import ConfigError, Problem
from ambassador.model import Endpoint
from ambassador.settings import Settings
from ambassador.spec import (
    format_endpoint,
    format_endpoints,
    parse_endpoints,
    parse_existing,
    shown,
)
from ambassador.spec.moments import format_moment

if TYPE_CHECKING:
    from ambassador.app.operate import Outcome, Plan

__all__ = ["command"]

_ETCD = ("etcd", "etcd_ca", "etcd_cert", "etcd_key", "etcd_user", "etcd_password_file", "fleet")
_LATE, _ABORTED = 1, 5


@click.group("fleet")
def command() -> None:
    """Move services for many ambassadors at once, by etcd; show and undo moves (docs/fleet.md).

    \b
    ambassador fleet move redis tcp://10.0.0.6:6379
    ambassador fleet status redis
    """


def _fleet(function: Callable[..., Any]) -> Callable[..., Any]:
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    return setting_flags(*_ETCD)(as_json(function))


def _pacing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command with the options that a move and an undo share."""
    options = (
        click.option(
            "--hold", is_flag=True, help="Let new sessions wait until all ambassadors are ready."
        ),
        click.option(
            "--existing",
            default="",
            metavar="keep|drain=TIME|cut|cut=N/s",
            help="What becomes of open sessions. Default: the option `existing` of each route.",
        ),
        click.option(
            "--canary", metavar="SHARE", help="Move this share of the ambassadors first: 5%."
        ),
        click.option(
            "--wait",
            default="30s",
            show_default=True,
            metavar="DURATION",
            callback=duration("--wait"),
            help="How long the canaries are watched.",
        ),
        click.option(
            "--abort",
            default="10%",
            show_default=True,
            metavar="SHARE",
            help="Take the move back for all if more than this share cannot verify it.",
        ),
        click.option(
            "--timeout",
            default="30s",
            show_default=True,
            metavar="DURATION",
            callback=duration("--timeout"),
            help="How long to wait for all ambassadors.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


@command.command("move")
@click.argument("service")
@click.argument("endpoints", nargs=-1, required=True, metavar="ENDPOINT...")
@_pacing
@_fleet
def move(service: str, endpoints: tuple[str, ...], as_json: bool, **flags: Any) -> int:
    """Point SERVICE at other endpoints, at every ambassador that follows it. Each probes them
    first.

    Exit 0 when all have applied it; 1 when some have not in time (they are listed); 4 when another
    operator was first; 5 when the move was taken back.
    """
    from ambassador.app import operate  # noqa: PLC0415 (ssl, h11)

    found = parse_endpoints(",".join(_whole(one) for one in endpoints), "endpoints")
    settings, plan = _wanted(operate.Plan, service, found, flags)
    told = _Told(as_json)
    outcome = operate.move(settings, plan, _who(), told)
    return _show(plan, outcome, told, as_json)


@command.command("undo")
@click.argument("service")
@_pacing
@_fleet
def undo(service: str, as_json: bool, **flags: Any) -> int:
    """Take back the last move of SERVICE that is in force; typed twice, also the one before."""
    from ambassador.app import operate  # noqa: PLC0415 (ssl, h11)

    settings, plan = _wanted(operate.Plan, service, (), flags)
    told = _Told(as_json)
    plan, outcome = operate.undo(settings, plan, _who(), told)
    return _show(plan, outcome, told, as_json)


@command.command("status")
@click.argument("service", default="", metavar="[SERVICE]")
@_fleet
def status(service: str, as_json: bool, **flags: Any) -> int:
    """Show where services lead, how many ambassadors follow each, and how many refuse a move. With
    SERVICE, show each ambassador on a line.
    """
    from ambassador.app import operate  # noqa: PLC0415 (ssl, h11)

    found = operate.stands(_settings(flags), _name(service) if service else "")
    if as_json:
        print(json.dumps({name: as_plain(one) for name, one in found.items()}, indent=2))
    else:
        print(safe(one_service(service, found[service]) if service else all_services(found)))
    return 0


@command.command("history")
@click.argument("service")
@_fleet
def history(service: str, as_json: bool, **flags: Any) -> int:
    """Show who changed SERVICE, how and when, the latest first; the last 100 changes are kept."""
    from ambassador.app import operate  # noqa: PLC0415 (ssl, h11)

    entries = operate.stands(_settings(flags), _name(service))[service].history
    rows = [
        (
            str(number),
            format_moment(one.when),
            one.who,
            f"{one.what} {one.of}" if one.of else one.what,
            format_endpoints(one.endpoints) or "as announced",
            format_endpoints(one.before) or "as announced",
            one.why,
        )
        for number, one in sorted(entries.items(), reverse=True)
    ]
    head = ("NUMBER", "WHEN", "WHO", "WHAT", "TO", "FROM", "WHY")
    if as_json:
        keys = [word.lower() for word in head]
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2))
    else:
        print(safe(table(head, rows) if rows else f"nothing was done to {service} yet"))
    return 0


class _Told:
    """Shows the progress: in place on a terminal, else one line at the end of each stage."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._drawn = sys.stderr.isatty()
        self._stage = ""
        self._line = ""

    def __call__(self, stage: str, now: Progress) -> None:
        if self._quiet:
            return
        if stage != self._stage:
            self.end()
            self._stage = stage
        self._line = f"{stage:<6} {bar(now)}"
        if self._drawn:
            sys.stderr.write(f"\r\x1b[K{self._line}")
            sys.stderr.flush()

    def end(self) -> None:
        """End the line of a stage."""
        if self._line and not self._quiet:
            print("" if self._drawn else self._line, file=sys.stderr)
        self._line = ""


def _show(plan: Plan, outcome: Outcome, told: _Told, as_json: bool) -> int:
    told.end()
    now = outcome.progress
    where = ", ".join(map(format_endpoint, plan.endpoints)) or "what is announced"
    code = 0 if outcome.done else _ABORTED if outcome.aborted else _LATE
    if as_json:
        found = {
            "service": plan.service,
            "endpoints": [format_endpoint(one) for one in plan.endpoints],
            "done": outcome.done,
            "aborted": outcome.aborted,
            "seconds": round(outcome.seconds, 3),
            "applied": list(now.applied),
            "waiting": list(now.waiting),
            "refused": [{"who": who, "why": why} for who, why in now.refused],
            "gone": list(now.gone),
        }
        print(json.dumps(found, indent=2))
        return code
    if outcome.done:
        count = f"{len(now.applied)} ambassador{'' if len(now.applied) == 1 else 's'}"
        print(safe(f"{plan.service} leads to {where} at {count}, in {outcome.seconds:.2f} s"))
        if now.gone:
            print(safe(f"gone meanwhile: {', '.join(now.gone[:10])}"))
    elif outcome.aborted:
        complain(safe(f"taken back for all: {outcome.aborted}"))
        for line in followers_left(now) if plan.what == "back" else ():
            complain(safe(line))
    else:
        missing = len(now.waiting) + len(now.refused)
        complain(safe(f"{plan.service} leads to {where}, but not at {missing} of {now.total}:"))
        for line in followers_left(now):
            complain(safe(f"  {line}"))
    return code


def _wanted(
    kind: type[Plan], service: str, endpoints: tuple[Endpoint, ...], flags: Mapping[str, Any]
) -> tuple[Settings, Plan]:
    if flags["existing"]:
        parse_existing(flags["existing"], "--existing")
    canary = _share("--canary", flags["canary"], least=0.0) if flags["canary"] else 0.0
    plan = kind(
        _name(service),
        endpoints,
        flags["hold"],
        flags["existing"],
        canary,
        flags["wait"] if canary else 0.0,
        _share("--abort", flags["abort"], least=-1.0),
        flags["timeout"],
    )
    return _settings(flags), plan


def _share(flag: str, text: str, least: float) -> float:
    try:
        found = float(text.removesuffix("%"))
    except ValueError:
        found = -1.0
    if not text.endswith("%") or not least < found <= 100:
        expected = "more than 0% and at most 100%" if least == 0 else "0% to 100%"
        what = "would move no ambassador first" if found == 0 else "is no share"
        example = f"ambassador fleet move redis tcp://192.168.1.53:6379 {flag} 5%"
        raise ConfigError(Problem(flag, what, shown(text), expected, example))
    return found


def _name(service: str) -> str:
    if not NAME.fullmatch(service):
        what, expected = "is not a name of a service", "letters, digits, -, _ and ."
        example = "ambassador fleet status redis"
        raise ConfigError(Problem("service", what, shown(service), expected, example))
    return service


def _whole(text: str) -> str:
    return text if "://" in text or "/" in text else f"tcp://{text}"


def _settings(flags: Mapping[str, Any]) -> Settings:
    return Settings.from_environ(os.environ, {name: flags[name] for name in _ETCD})


def _who() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid-{os.getuid()}"
    return f"{name}@{socket.gethostname()}"
