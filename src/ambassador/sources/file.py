"""Routes from a file, `ambassador.toml`:

    [route.redis]
    listen = ":6379"
    endpoints = ["tcp://db1:6379", "tcp://db2:6379?backup"]
    connect = "2s"

The keys are `listen`, `endpoints` and the options of a route, in the same grammar as the
companion variables. A problem names the file, the line and the key.
"""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ambassador.core.names import named
from ambassador.errors import ConfigError, Problem, SourceError
from ambassador.model import Address, Endpoint, Inet, Proto, Route, Snapshot
from ambassador.sources.keylines import key_lines, line_of
from ambassador.spec import (
    OPTIONS,
    format_address,
    format_endpoint,
    meant,
    parse_endpoint,
    parse_option,
    shown,
)
from ambassador.spec.address import length, of_length
from ambassador.spec.container import owned
from ambassador.spec.endpoint import repeated
from ambassador.spec.follow import followed_problems, remarks
from ambassador.spec.instead import instead
from ambassador.spec.listening import Listening
from ambassador.spec.options import applicable
from ambassador.spec.service import is_service, parse_service

__all__ = ["FileSource"]

LARGEST = 4 << 20  # bytes; 5,000 routes need half of it. A larger file is surely a mistake.
_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_DIGITS = re.compile(r"[0-9_]+|$")
_NUMBERS = "numbers of at most 4,300 digits"
# If a file is mounted by itself and another file takes its name on the host, the mount still shows
# the old file (mount(8)).
_REPLACED = (
    "was replaced on the host, and this mount still shows the old file: restart the container, "
    "and mount the folder of the file instead of the file"
)
_HEADER = "[route.redis]"
_FORM = "[route.NAME] with listen, endpoints and options"


class FileSource:
    """The file at `path`, read again each time."""

    name = "file"
    guess = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._linked = False  # whether the file that was read last had a name on the host

    def read(self) -> Snapshot:
        """Return the routes, in the order of the file; to have no route is no error here.

        Raises ConfigError, and SourceError if the file cannot be read.
        """
        text = self._text()
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = _POSITION.search(str(error))
            line = (found and found[1]) or text.count("\n") + 1
            what = _POSITION.sub("", str(error))
            what = f"is not TOML: {what[:1].lower()}{what[1:]}"
            raise ConfigError(Problem(f"{self._path}, line {line}", what)) from None
        except RecursionError:
            raise ConfigError(Problem(str(self._path), "is nested too deeply")) from None
        except ValueError:  # of int(), which refuses longer numbers
            digits = max(map(len, _DIGITS.findall(text)))
            what = f"is not TOML that can be read: a number has {digits} digits"
            raise ConfigError(Problem(str(self._path), what, expected=_NUMBERS)) from None
        routes = named(_Document(str(self._path), text).routes(document))
        notes = tuple(remark for route in routes for remark in remarks(route))
        return Snapshot(self.name, routes, notes)

    def _text(self) -> str:
        try:
            # To read a FIFO or a device might block the whole program.
            status = self._path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(f"{self._path}: is not a regular file")
            if self._linked and not status.st_nlink:
                raise SourceError(f"{self._path}: {_REPLACED}")
            self._linked = status.st_nlink > 0
            with self._path.open("rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as error:
            raise SourceError(f"{self._path}: {error.strerror or error}") from error
        if len(data) > LARGEST:
            raise ConfigError(Problem(str(self._path), f"is larger than {LARGEST >> 20} MiB"))
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            where = f"{self._path}, line {line}"
            raise ConfigError(Problem(where, "is not UTF-8, as TOML has to be")) from None


class _Document:
    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._lines = key_lines(text)

    def routes(self, document: Mapping[str, Any]) -> list[Route]:
        problems = [
            self._problem(
                (key,),
                f'the table "{shown(key)}" is unknown{meant(key, ["route"])}',
                example=_HEADER,
            )
            for key in document
            if key != "route"
        ]
        tables = document.get("route", {})
        if not isinstance(tables, dict):
            problems.append(self._problem(("route",), "is no table", example=_HEADER))
            tables = {}
        routes = []
        for name, table in tables.items():
            try:
                routes.append(self._route(name, table))
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(*problems)
        return routes

    def _route(self, name: str, table: Any) -> Route:
        path = ("route", name)
        if not isinstance(table, dict):
            raise ConfigError(self._problem(path, "is no table", example=_HEADER))
        problems = []
        if not name or not name.isprintable() or any(char.isspace() for char in name):
            what = "the name of a route is empty, or has a blank in it"
            problems.append(self._problem(path, what, example=_HEADER))
        proto = Proto.TCP
        endpoints: tuple[Endpoint, ...] = ()
        service = ""
        try:
            if (service := self._service(path, table)) == "":
                proto, endpoints = self._endpoints(path, table)
        except ConfigError as error:
            problems += error.problems
        options, found = self._options(path, table, proto)
        problems += found
        if "listen" in options and isinstance(own := options["listen"].listen, Inet):
            endpoints = tuple(owned(endpoint, own) for endpoint in endpoints)
        if "listen" not in table:
            example = f'listen = "{_listen_like(endpoints)}"'
            problems.append(self._problem(path, "listen is missing", example=example))
        elif "listen" in options:
            problems += self._lengths(path, options["listen"].listen, endpoints)
        if problems:
            raise ConfigError(*problems)
        at: Listening = options.pop("listen")
        origin = f"{self._path}, line {line_of(self._lines, path)}"
        alias = name.lower()
        options.update(at.options(), alias=alias, origin=origin, service=service)
        route = Route(alias, at.listen, endpoints, proto, **options)
        if problems := followed_problems(route, origin):
            raise ConfigError(*(replace(p, example=_line(p.example)) for p in problems))
        return route

    def _service(self, path: tuple[str, ...], table: Mapping[str, Any]) -> str:
        """Return the service in etcd that has the endpoints; empty if they are written here."""
        texts = table.get("endpoints", "")
        text = ",".join(map(str, texts)) if isinstance(texts, list) else str(texts)
        if not is_service(text):
            return ""
        try:
            return parse_service(text, self._where((*path, "endpoints")))
        except ConfigError as error:
            raise ConfigError(
                *(replace(p, example=f'endpoints = ["{p.example}"]') for p in error.problems)
            ) from None

    def _endpoints(
        self, path: tuple[str, ...], table: Mapping[str, Any]
    ) -> tuple[Proto, tuple[Endpoint, ...]]:
        key = (*path, "endpoints")
        example = 'endpoints = ["tcp://192.168.1.52:6379"]'
        if "endpoints" not in table and "follow" in table:
            return Proto.TCP, ()
        if "endpoints" not in table:
            raise ConfigError(self._problem(path, "endpoints are missing", example=example))
        texts = table["endpoints"]
        texts = texts.split(",") if isinstance(texts, str) else texts
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            what = "is neither a text nor a list of texts"
            raise ConfigError(self._problem(key, what, "", "URLs of endpoints", example))
        if not texts:
            raise ConfigError(self._problem(key, "is empty", example=example))
        problems: list[Problem] = []
        found: list[Endpoint] = []
        seen: set[Address] = set()
        for text in texts:
            proto = found[0].proto if found else None
            try:
                endpoint = parse_endpoint(text, self._where(key), proto)
            except ConfigError as error:
                problems += [
                    replace(p, example=f'endpoints = ["{p.example}"]') for p in error.problems
                ]
                continue
            if twice := repeated(endpoint, seen, self._where(key), text):
                problems.append(twice)
            found.append(endpoint)
        if problems:
            raise ConfigError(*problems)
        return found[0].proto, tuple(found)

    def _options(
        self, path: tuple[str, ...], table: Mapping[str, Any], proto: Proto
    ) -> tuple[dict[str, Any], list[Problem]]:
        values: dict[str, Any] = {}
        problems: list[Problem] = []
        for key, value in table.items():
            if key == "endpoints":
                continue
            where = self._where((*path, key))
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                what = "is neither a text nor a number"
                option = OPTIONS.get(key) or instead(key, proto, table)
                example = f'{option.key} = "{option.example}"'
                problems.append(Problem(where, what, shown(str(value)), "", example))
                continue
            try:
                values[key] = parse_option(key, str(value), proto, where)
            except ConfigError as error:
                option = instead(key, proto, table)
                another = f'{option.key} = "{option.example}"'
                for p in error.problems:
                    example = f'{key} = "{p.example}"' if p.example else another
                    problems.append(replace(p, example=example))
                if key not in OPTIONS:
                    known = ("endpoints", *applicable(proto))
                    what = f'the key "{shown(key)}" is unknown{meant(key, known)}'
                    problems[-1] = Problem(where, what, "", f"one of {', '.join(known)}", another)
        return values, problems

    def _lengths(
        self, path: tuple[str, ...], listen: Address, endpoints: tuple[Endpoint, ...]
    ) -> list[Problem]:
        """Return the problems of endpoints that have more or fewer ports than `listen`."""
        return [
            self._problem(
                (*path, "endpoints"),
                f"{format_address(listen)} has {_ports(length(listen))}, this endpoint has "
                f"{_ports(length(endpoint.address))}",
                shown(format_endpoint(endpoint)),
                "ranges of one length; port follows port in order",
                _endpoints(_as_long(endpoint, length(listen)) for endpoint in endpoints),
            )
            for endpoint in endpoints
            if length(endpoint.address) != length(listen)
        ]

    def _problem(
        self,
        path: tuple[str, ...],
        what: str,
        read: str = "",
        expected: str = "",
        example: str = "",
    ) -> Problem:
        return Problem(
            self._where(path), what, read, expected or ("" if example else _FORM), example
        )

    def _where(self, path: tuple[str, ...]) -> str:
        return f"{self._path}, line {line_of(self._lines, path)}, {shown('.'.join(path))}"


def _ports(count: int) -> str:
    return "one port" if count == 1 else f"{count} ports"


def _as_long(endpoint: Endpoint, count: int) -> str:
    return format_endpoint(replace(endpoint, address=of_length(endpoint.address, count)))


def _endpoints(urls: Iterable[str]) -> str:
    texts = ", ".join(f'"{url}"' for url in dict.fromkeys(urls))
    return f"endpoints = [{texts}]"


def _line(example: str) -> str:
    """Return `key=value` as a line of the file."""
    key, _, value = example.partition("=")
    return _endpoints(value.split(",")) if key == "endpoints" else f'{key} = "{value}"'


def _listen_like(endpoints: tuple[Endpoint, ...]) -> str:
    address = endpoints[0].address if endpoints else Inet("", 6379)
    return format_address(replace(address, host="")) if isinstance(address, Inet) else ":6379"
