"""Run a program with a deadline; wait for a condition with a deadline."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class CommandError(AssertionError):
    """A program failed: its command line, exit code and output."""


def run(
    argv: Sequence[str],
    *,
    within: float = 60,
    env: Mapping[str, str] | None = None,
    text: str | None = None,
    ok: Sequence[int] | None = (0,),
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `argv` and return what it printed.

    `within` is in seconds, `env` is added to the environment, `text` is the standard input.
    Raises `CommandError` on an exit code outside `ok`; `ok=None` accepts every code.
    """
    # TimeoutExpired alone would not show what the program had said by then.
    try:
        done = subprocess.run(
            argv,
            check=False,
            capture_output=True,
            text=True,
            cwd=cwd,
            timeout=within,
            env={**os.environ, **(env or {})},
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
        )
    except subprocess.TimeoutExpired as late:
        raise CommandError(
            f"{' '.join(argv)}: not done after {within:g} s\n{late.stdout!r}\n{late.stderr!r}"
        ) from None
    if ok is not None and done.returncode not in ok:
        raise CommandError(
            f"{' '.join(argv)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
    return done


def until(
    check: Callable[[], T | None], what: str, *, within: float = 10, every: float = 0.05
) -> T:
    """Call `check` until it returns something true, and return that.

    Raises `AssertionError` naming `what` and the last answer after `within` seconds.
    """
    deadline = time.monotonic() + within
    while not (answer := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what}; last answer: {answer!r}")
        time.sleep(every)
    return answer
