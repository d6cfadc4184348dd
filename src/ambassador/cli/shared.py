"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ambassador.cli.running import duration

__all__ = ["at_most", "leading_elsewhere", "within"]

_Decorate = Callable[[Callable[..., Any]], Callable[..., Any]]


def leading_elsewhere(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command that leads a route to other endpoints: `hold`, `existing`, `no_verify`."""
    hold = click.option("--hold", is_flag=True, help="Let new sessions wait until it is done.")
    existing = click.option(
        "--existing",
        default="",
        metavar="keep|drain=TIME|cut|cut=N/s",
        help="What becomes of open sessions. Default: the option `existing` of the route.",
    )
    no_verify = click.option(
        "--no-verify", is_flag=True, help="Do not check first whether the endpoints answer."
    )
    return hold(existing(no_verify(command)))


def within(default: str) -> _Decorate:
    """Return a decorator that gives a command the argument `timeout`, in seconds."""
    return click.option(
        "--timeout",
        default=default,
        show_default=True,
        metavar="DURATION",
        callback=duration("--timeout"),
        help="If it is not done in this time, everything stays as it was.",
    )


def at_most(default: int) -> _Decorate:
    """Return a decorator that gives a command `route`, which may be left out, and `limit`."""
    route = click.argument("route", default="", metavar="[ROUTE]")
    limit = click.option(
        "--limit",
        default=default,
        show_default=True,
        metavar="N",
        type=click.IntRange(min=1),
        help="Show at most N.",
    )
    return lambda command: route(limit(command))
