"""The lines of keys in a TOML document; `tomllib` tells the line of syntax errors only."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping

__all__ = ["Path", "key_lines", "line_of"]

Path = tuple[str, ...]

# TOML 1.0. A multi-line string may end in two quotes of its own, before the three that close it.
_TOKEN = re.compile(
    r'(?P<long>"""(?:\\[\s\S]|[^\\])*?"{3,5}|\'\'\'[\s\S]*?\'{3,5})'
    r"|(?P<key>\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'|[A-Za-z0-9_-]+)"
    r"|(?P<comment>\#[^\n]*)"
    r"|(?P<mark>[\[\]{}=.\n])"
    r"|(?P<other>[ \t]+|[\s\S])"
)


def key_lines(document: str) -> dict[Path, int]:
    """Return the line, from 1, of each table and key of a document, by its path. Keys of inline
    tables are left out, and so are tables that exist only as a part of a dotted path.

    `tomllib` can read `document`.
    """
    lines: dict[Path, int] = {}
    table: Path = ()
    tokens = _tokens(document)
    for line, kind, text in tokens:
        if kind == "key":
            rest = _path(tokens, "=")
            lines.setdefault((*table, _key(text), *rest), line)
            _pass_over_value(tokens)
        elif text == "[":
            table = _path(tokens, "]")
            lines.setdefault(table, line)
    return lines


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """Return the line of `path`, or else of the nearest table around it; 1 if there is none."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _tokens(text: str) -> Iterator[tuple[int, str, str]]:
    line = 1
    for match in _TOKEN.finditer(text):
        yield line, match.lastgroup or "", match[0]
        line += match[0].count("\n")


def _path(tokens: Iterator[tuple[int, str, str]], end: str) -> Path:
    """Return the keys up to the mark `end`."""
    keys = []
    for _, kind, text in tokens:
        if text == end:
            break
        if kind == "key":
            keys.append(_key(text))
    return tuple(keys)


def _pass_over_value(tokens: Iterator[tuple[int, str, str]]) -> None:
    """Skip a value, up to the end of its last line."""
    depth = 0
    for _, kind, text in tokens:
        if kind != "mark":
            continue
        depth += (text in "[{") - (text in "]}")
        if text == "\n" and not depth:
            break


def _key(text: str) -> str:
    if text[0] not in "\"'":
        return text
    value: str = tomllib.loads(f"key = {text}")["key"]
    return value
