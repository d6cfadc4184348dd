"""The table of verbs, and which verb is meant if none is given."""

from __future__ import annotations

import gc
import signal
from collections.abc import Sequence
from importlib import import_module

import click

from ambassador import __version__
from ambassador.cli.terminal import complain
from ambassador.errors import AmbassadorError, ConfigError, Problem
from ambassador.spec import meant

__all__ = ["VERBS", "invoke", "program"]

# Each verb, the module of its `command`, and its line in --help (so that --help imports no verb).
VERBS = {
    "run": ("ambassador.cli.run", "Listen and forward: the routes of the environment."),
    "check": ("ambassador.cli.check", "Read everything, show the routes, start nothing."),
    "status": ("ambassador.cli.status", "Show what the running ambassador does."),
    "list": ("ambassador.cli.list", "List the ambassadors of this host."),
    "top": ("ambassador.cli.top", "The same, live, with small plots."),
    "page": ("ambassador.cli.page", "The same in a browser, with everything that verbs do."),
    "move": ("ambassador.cli.move", "Point a route at other endpoints."),
    "undo": ("ambassador.cli.undo", "Take back the last change of a route."),
    "history": ("ambassador.cli.history", "List who has changed what."),
    "hold": ("ambassador.cli.hold", "Accept new sessions of a route and let them wait."),
    "release": ("ambassador.cli.release", "Forward held sessions."),
    "drain": ("ambassador.cli.drain", "Give endpoints no new sessions; open ones finish."),
    "maint": ("ambassador.cli.maint", "Treat endpoints as if they had left."),
    "ready": ("ambassador.cli.ready", "Take back drain and maint."),
    "cut": ("ambassador.cli.cut", "End open sessions now."),
    "sessions": ("ambassador.cli.sessions", "List open sessions."),
    "events": ("ambassador.cli.events", "Show what has happened, and follow it."),
    "add": ("ambassador.cli.add", "Add routes at run time."),
    "publish": ("ambassador.cli.publish", "Give a running container a port of this host."),
    "remove": ("ambassador.cli.remove", "Remove a route at run time."),
    "reset": ("ambassador.cli.reset", "Go back to what the sources say of a route."),
    "reload": ("ambassador.cli.reload", "Read the sources again."),
    "healthcheck": ("ambassador.cli.healthcheck", "Exit 0 when the ambassador takes clients."),
    "fleet": ("ambassador.cli.fleet", "Move a service for all ambassadors of an etcd."),
    "announce": ("ambassador.cli.announce", "Put an endpoint into etcd as long as it works."),
    "pair": ("ambassador.cli.pair", "Make certificates for a secret hop between two hosts."),
    "demo": ("ambassador.cli.demo", "Watch how a service moves while its consumers go on."),
    "completion": ("ambassador.cli.completion", "Print the completion script of a shell."),
}

# Words that people type instead of flags: `help`, `help move`, `version`.
_OTHER_WORDS = {"help": "--help", "version": "--version"}
_OWN_FLAGS = ("--help", "-h", "--version")


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(VERBS[cmd_name][0]).command
        if cmd_name != "run":  # `run` enables the collector itself, once its routes are there
            gc.enable()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, line) for verb, (_, line) in VERBS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] in _OTHER_WORDS:
            args = _as_flags(args)
        if not ctx.resilient_parsing and (not args or args[0] not in (*VERBS, *_OWN_FLAGS)):
            _refuse_mistyped_verb(args)
            args = ["run", *args]
        if args[:1] != ["run"]:
            # The image's process 1 blocks SIGINT, too (supervisor.py).
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGHUP, signal.SIGINT))
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderGoneError from error  # click would exit with 1


def _as_flags(args: Sequence[str]) -> list[str]:
    """Return `help`, `help VERB` or `version` as flags; `version --json` is done here."""
    if args[0] == "help":
        return [*args[1:2], "--help"]
    if args[1:] == ["--json"]:
        click.echo(f'{{"version": "{__version__}"}}')
        raise click.exceptions.Exit
    return [_OTHER_WORDS[args[0]], *args[1:]]


class _ReaderGoneError(Exception):
    """Our output has no reader any longer."""


def _refuse_mistyped_verb(args: Sequence[str]) -> None:
    word = args[0] if args else "-"
    if len(args) > 1 and args[1].isdigit():
        return  # HOST PORT
    if word.startswith("-") or "=" in word or not meant(word, VERBS):
        return
    raise ConfigError(
        Problem(
            f"argument {word}",
            f"is no verb{meant(word, VERBS)}",
            expected=f"one of {', '.join(VERBS)}, an assignment, or HOST PORT",
            example="ambassador run REDIS_PORT_6379_TCP=tcp://192.168.1.52:6379",
        )
    )


@click.group(
    cls=_Verbs,
    invoke_without_command=False,
    subcommand_metavar="[VERB] [ARGUMENT...]",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Without a verb, `run` is meant: ambassador REDIS_PORT_6379_TCP=tcp://HOST:6379, "
    "or ambassador HOST PORT. Exit codes: 0 done; 1 it could not be done; 2 the command is wrong; "
    "3 no such route, endpoint or session; 4 it contradicts the present state; 5 a new endpoint "
    "does not answer; 6 not begun in time; 7 no ambassador answers. With 2 to 6 nothing has "
    "changed.",
)
@click.version_option(__version__, prog_name="ambassador", message="%(prog)s %(version)s")
def program() -> None:
    """A small, fast go-between in front of a network service."""


def invoke(arguments: Sequence[str]) -> int:
    """Run the verb that `arguments` name, and return the exit code; errors are written to stderr.

    Raises BrokenPipeError when stdout has no reader any longer.
    """
    try:
        result = program.main(list(arguments), prog_name="ambassador", standalone_mode=False)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "ambassador"
        complain(f"{error.format_message()}\n  help:     {where} --help")
        return 2
    except _ReaderGoneError as gone:
        raise BrokenPipeError from gone
    except click.exceptions.Abort:
        return 130
    except AmbassadorError as error:
        complain(str(error))
        return error.exit_code
    return result if isinstance(result, int) else 0
