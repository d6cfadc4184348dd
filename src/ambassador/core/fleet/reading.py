"""The fields of one value in etcd, taken one by one. Pure.

Errors are collected, each with the key and an example of a whole value; `done` raises them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ambassador.errors import ConfigError, Problem
from ambassador.model import Address, Endpoint, Existing, Proto
from ambassador.spec import OPTIONS, meant, parse_endpoint, parse_existing, parse_option, shown
from ambassador.spec.endpoint import repeated
from ambassador.spec.options import applicable

__all__ = ["LARGEST", "SCHEMA", "Endpoints", "Reader"]

SCHEMA = 1
LARGEST = 64 << 10  # characters of one value
Endpoints = tuple[Endpoint, ...]
_FORM = {
    "route": '{"schema":1,"listen":":6379","endpoints":["tcp://192.168.1.52:6379"]}',
    "word": '{"schema":1,"endpoints":["tcp://192.168.1.52:6379"]}',
    "trial": '{"schema":1,"endpoints":["tcp://192.168.1.52:6379"],"kind":"canary","up_to":"80"}',
    "announced": '{"schema":1,"endpoint":"tcp://192.168.1.52:6379"}',
    "applied": '{"schema":1,"revision":7,"state":"applied","endpoints":[],"why":""}',
    "history": '{"schema":1,"what":"move","endpoints":[],"before":[]}',
}


class Reader:
    """Takes the fields of one value; `done` raises the errors that were found."""

    def __init__(self, key: str, text: str, kind: str) -> None:
        self._key = key
        self._kind = kind
        self._problems: list[Problem] = []
        self._known = {"schema"}
        self._fields = self._object(text)

    def _object(self, text: str) -> Mapping[str, Any]:
        if len(text) > LARGEST:
            raise self._error(f"is longer than {LARGEST >> 10} KiB")
        try:
            found = json.loads(text)
        except ValueError as error:
            raise self._error(f"is not JSON: {error}", shown(text)) from None
        except RecursionError:
            raise self._error("is not JSON: nested too deeply") from None
        if not isinstance(found, dict):
            raise self._error("is not a JSON object", shown(text))
        schema = found.get("schema")
        if isinstance(schema, bool) or not isinstance(schema, int):
            what = "has no schema" if schema is None else "has a schema that is not a whole number"
            raise self._error(what, shown(text))
        if schema > SCHEMA:
            what = (
                f"is of schema {schema}, and this ambassador reads {SCHEMA}: a newer one wrote it"
            )
            raise ConfigError(Problem(self._key, what, "", f"schema {SCHEMA}"))
        if schema < 1:
            raise self._error(f"is of schema {schema}, which there never was", shown(text))
        return found

    def _error(self, what: str, read: str = "") -> ConfigError:
        expected = f"an object: {_FORM[self._kind]}"
        return ConfigError(Problem(self._key, what, read, expected, self._example()))

    def _example(self) -> str:
        return f"etcdctl put {self._key} '{_FORM[self._kind]}'"

    def wrong(self, field: str, what: str, read: object = "", expected: str = "") -> None:
        """Note what is wrong with a field."""
        text = f'the field "{shown(field)}" {what}'
        found = shown(str(read)) if read != "" else ""
        self._problems.append(Problem(self._key, text, found, expected, self._example()))

    def text(self, field: str, words: tuple[str, ...] = ()) -> str:
        """Return a text, empty where the field is missing; with `words`, it must be one of them."""
        self._known.add(field)
        value = self._fields.get(field, "")
        if not isinstance(value, str):
            self.wrong(field, "is not a text", json.dumps(value))
            return ""
        optional = field == "proto" and field not in self._fields
        if words and value not in words and not optional:
            expected = f"one of {', '.join(words)}"
            what = f"is unknown{meant(value, words)}" if value else "is missing"
            self.wrong(field, what, value, expected)
            return words[0]
        return value

    def whole(self, field: str) -> int:
        """Return a whole number, 0 where the field is missing."""
        self._known.add(field)
        value = self._fields.get(field, 0)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.wrong(field, "is not a whole number", json.dumps(value))
            return 0
        return value

    def time(self, field: str) -> float:
        """Return seconds since 1970, 0 where the field is missing."""
        self._known.add(field)
        value = self._fields.get(field, 0)
        # A time beyond the year 9999 cannot be written as a date.
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2.5e11:
            self.wrong(field, "is not a time in seconds since 1970", json.dumps(value))
            return 0.0
        return float(value)

    def seconds(self, field: str) -> float:
        """Return a number of seconds, up to an hour, 0 where the field is missing."""
        self._known.add(field)
        value = self._fields.get(field, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 3600:
            self.wrong(field, "is not a number of seconds up to 3600", json.dumps(value))
            return 0.0
        return float(value)

    def existing(self) -> Existing | None:
        """Return the policy for open sessions, None where the field is missing."""
        text = self.text("existing")
        try:
            return parse_existing(text, self._key) if text else None
        except ConfigError as error:
            for one in error.problems:
                self.wrong("existing", one.what, text, one.expected)
            return None

    def texts(self, field: str = "endpoints") -> tuple[str, ...]:
        """Return a list of texts."""
        self._known.add(field)
        value = self._fields.get(field, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.wrong(field, "is not a list of texts", json.dumps(value))
            return ()
        return tuple(value)

    def endpoints(self, field: str = "endpoints", *, empty: bool = False) -> Endpoints:
        """Return a list of endpoints."""
        texts = self.texts(field)
        if not texts and not empty:
            self.wrong(field, "is empty", "", "at least one endpoint")
        return self.urls(field, texts, None)

    def urls(
        self, field: str, texts: tuple[str, ...] | list[str], proto: Proto | None
    ) -> Endpoints:
        """Return the endpoints that the URLs `texts` of a field mean."""
        found: list[Endpoint] = []
        seen: set[Address] = set()
        for text in texts:
            try:
                endpoint = parse_endpoint(text, self._key, found[0].proto if found else proto)
            except ConfigError as error:
                for one in error.problems:
                    self.wrong(field, one.what, text, one.expected)
                continue
            if repeated(endpoint, seen, self._key, text):
                self.wrong(field, "has an endpoint twice", text)
            found.append(endpoint)
        return tuple(found)

    def options(self, proto: Proto) -> dict[str, Any]:
        """Return the options of a route, `listen` among them."""
        values: dict[str, Any] = {}
        known = ("endpoints", "proto", *applicable(proto))
        for key, value in self._fields.items():
            if key in self._known:
                continue
            self._known.add(key)
            if key not in OPTIONS:
                what = f"is unknown{meant(key, known)}"
                self.wrong(key, what, "", f"one of {', '.join(known)}")
            elif isinstance(value, bool) or not isinstance(value, str | int | float):
                self.wrong(key, "is neither a text nor a number", json.dumps(value))
            else:
                try:
                    values[key] = parse_option(key, str(value), proto, self._key)
                except ConfigError as error:
                    for one in error.problems:
                        self.wrong(key, one.what, one.read, one.expected)
        if "listen" not in self._fields:
            self.wrong("listen", "is missing", "", "where the route listens")
        return values

    def done(self) -> None:
        """Raise ConfigError with all errors found; an unknown field is an error, too."""
        for field in self._fields:
            if field not in self._known:
                known = sorted(self._known)
                expected = f"one of {', '.join(known)}"
                self.wrong(field, f"is unknown{meant(field, known)}", "", expected)
        if self._problems:
            raise ConfigError(*self._problems)
