"""Flags for settings, made from the table of settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from ambassador.settings import SETTINGS, Setting

__all__ = ["setting_flags"]


def setting_flags(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a command with the flags of the settings `names`. The command gets their texts as
    arguments of these names; None if the flag is not given.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            if not SETTINGS[name].secret:
                command = _flag(SETTINGS[name])(command)
        return command

    return decorate


def _flag(setting: Setting) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    default = f" Default: {setting.default}." if setting.default else ""
    help_text = f"{setting.help[0].upper()}{setting.help[1:]}.{default} [{setting.variable}]"
    if setting.form == "yes|no":
        return click.option(setting.flag, setting.name, flag_value="yes", help=help_text)
    return click.option(
        setting.flag,
        setting.name,
        metavar=setting.form,
        help=help_text,
        shell_complete=_completion(setting.form.split("|")) if "|" in setting.form else None,
    )


def _completion(words: Sequence[str]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    return lambda _ctx, _parameter, begun: [word for word in words if word.startswith(begun)]
