"""Man pages and completions, made from the command line itself (man-pages(7), groff_man(7)).

click-man would do most of it, but knows only groups that have imported every verb, and escapes
neither a line that begins with a dot nor a backslash.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from inspect import cleandoc
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from ambassador.cli import verbs
from ambassador.settings import SETTINGS
from release.source import Source

__all__ = ["completions", "pages", "write"]

SHELLS = {  # where Debian's shells look
    "bash": "usr/share/bash-completion/completions/ambassador",
    "zsh": "usr/share/zsh/vendor-completions/_ambassador",
    "fish": "usr/share/fish/vendor_completions.d/ambassador.fish",
}


def pages(source: Source) -> dict[str, str]:
    """Return the text of each page by its name: ambassador.1, ambassador-move.1, ..."""
    root = click.Context(verbs.program, info_name="ambassador", max_content_width=100)
    written = {"ambassador.1": "\n".join(_overview(source, root))}
    for verb, (module, line) in verbs.VERBS.items():
        command = import_module(module).command
        written.update(_of(source, root, command, verb, line))
    return written


def _of(
    source: Source, parent: click.Context, command: click.Command, verb: str, line: str
) -> dict[str, str]:
    ctx = click.Context(command, info_name=verb, parent=parent)
    name = ctx.command_path.replace(" ", "-")
    written = {f"{name}.1": "\n".join(_page(source, ctx, line))}
    if isinstance(command, click.Group):
        for word in command.list_commands(ctx):
            below = command.get_command(ctx, word)
            if below is not None:
                written.update(_of(source, ctx, below, word, below.get_short_help_str(200)))
    return written


def _page(source: Source, ctx: click.Context, line: str) -> Iterator[str]:
    name = ctx.command_path.replace(" ", "-")
    yield from _head(source, name, line)
    yield ".SH SYNOPSIS"
    yield f"\\fB{_text(ctx.command_path)}\\fR {_text(_usage(ctx))}"
    yield ".SH DESCRIPTION"
    yield from _paragraphs(cleandoc(ctx.command.help or line))
    yield from _options(ctx)
    yield ".SH SEE ALSO"
    yield "\\fBambassador\\fR(1)"
    yield ""


def _overview(source: Source, root: click.Context) -> Iterator[str]:
    yield from _head(source, "ambassador", "a go-between in front of a network service")
    yield ".SH SYNOPSIS"
    yield "\\fBambassador\\fR [VERB] [ARGUMENT...]"
    yield ".SH DESCRIPTION"
    yield from _paragraphs(f"{root.command.help}\n\n{root.command.epilog}")
    yield ".SH VERBS"
    for verb, (_, line) in verbs.VERBS.items():
        yield from (".TP", f"\\fBambassador\\-{_text(verb)}\\fR(1)", _text(line))
    yield ".SH ENVIRONMENT"
    for setting in SETTINGS.values():
        yield from (".TP", f"\\fB{setting.variable}\\fR={_text(setting.form)}")
        yield _text(f"{setting.help}.") + (
            f" Default: {_text(setting.default)}." if setting.default else ""
        )
    yield from (".TP", "\\fIALIAS\\fB_PORT_\\fIPORT\\fB_TCP\\fR=tcp://HOST:PORT")
    yield "A route, as a link of Docker writes it."
    yield ".SH FILES"
    yield from (".TP", "\\fI/etc/ambassador/ambassador.toml\\fR")
    yield "Routes of the service, read again when it changes."
    yield ".SH SEE ALSO"
    yield ", ".join(f"\\fBambassador\\-{_text(verb)}\\fR(1)" for verb in verbs.VERBS)
    yield ""


def _head(source: Source, name: str, line: str) -> Iterator[str]:
    day = datetime.fromtimestamp(source.epoch, UTC).date()
    yield f'.TH "{_text(name.upper())}" 1 "{day}" "ambassador {source.version}"'
    yield ".SH NAME"
    yield f"{_text(name)} \\- {_text(line[:1].lower() + line[1:].rstrip('.'))}"


def _usage(ctx: click.Context) -> str:
    return " ".join(ctx.command.collect_usage_pieces(ctx))


def _options(ctx: click.Context) -> Iterator[str]:
    records = [parameter.get_help_record(ctx) for parameter in ctx.command.get_params(ctx)]
    found = [record for record in records if record]
    if found:
        yield ".SH OPTIONS"
    for flags, text in found:
        yield from (".TP", f"\\fB{_text(flags)}\\fR", _text(" ".join(text.split())))


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs as they are; those of examples, whose lines stay as they are, without filling."""
    for place, paragraph in enumerate(text.strip().split("\n\n")):
        if place:
            yield ".PP"
        lines = paragraph.replace("\b\n", "").splitlines()
        if any(line.lstrip().startswith(("ambassador ", "bash: ")) for line in lines):
            yield from (".nf", *(_text(line.strip()) for line in lines), ".fi")
        else:
            yield _text(" ".join(line.strip() for line in lines))


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return f"\\&{escaped}" if escaped.startswith((".", "\\(aq")) else escaped


def completions() -> dict[str, str]:
    """Return the completion script of each shell, by the path it has below /."""
    scripts = {}
    for shell, place in SHELLS.items():
        kind = get_completion_class(shell)
        if kind is None:
            raise AssertionError(f"click knows no {shell}")
        os.environ.setdefault("SHELL", f"/bin/{shell}")  # bash's asks bash for its version
        scripts[place] = (
            kind(verbs.program, {}, "ambassador", "_AMBASSADOR_COMPLETE").source() + "\n"
        )
    return scripts


def write(texts: dict[str, str], folder: Path) -> None:
    """Write each text below `folder`."""
    for name, text in texts.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
