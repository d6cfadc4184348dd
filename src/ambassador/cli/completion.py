"""`ambassador completion SHELL`: a script that lets a shell complete verbs and flags."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["command"]


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL.

    bash: add to ~/.bashrc   eval "$(ambassador completion bash)"
    """
    kind = get_completion_class(shell)
    if kind is None:  # click.Choice does not let other shells through
        raise click.UsageError(f"no completion for {shell}")
    root = ctx.find_root()
    print(kind(root.command, {}, "ambassador", "_AMBASSADOR_COMPLETE").source())
