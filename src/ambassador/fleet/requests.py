"""Requests to etcd and its answers in JSON: keys and values in base64, numbers as texts. Pure."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ambassador.core.fleet.picture import Value

__all__ = [
    "Batch",
    "Found",
    "absent",
    "batch",
    "delete",
    "found",
    "put",
    "reading",
    "since",
    "watching",
]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """The contents of a range at one revision of one store."""

    values: Mapping[str, Value]
    revision: int
    store: str


@dataclass(frozen=True, slots=True)
class Batch:
    """The changes of one revision (None: the key is deleted), or the message that a watch has
    begun.
    """

    changes: Mapping[str, Value | None]
    revision: int
    store: str


def reading(key: str, end: str = "", limit: int = 0) -> Json:
    """Return the request for `key`, or for the range from there to `end`; with `limit`, the last so
    many keys of it.
    """
    body: Json = {"key": _b64(key)}
    if end:
        body["range_end"] = _b64(end)
    if limit:
        body |= {"limit": str(limit), "sort_order": "DESCEND", "sort_target": "KEY"}
    return body


def watching(key: str, end: str, revision: int) -> Json:
    """Return the request to watch from `revision` on."""
    create = {"key": _b64(key), "range_end": _b64(end), "start_revision": str(revision)}
    return {"create_request": create}


def put(key: str, text: str, lease: int = 0) -> Json:
    """Return the request to write `text` at `key`."""
    request = {"key": _b64(key), "value": _b64(text)}
    return {"request_put": request | ({"lease": str(lease)} if lease else {})}


def delete(key: str, end: str = "") -> Json:
    """Return the request to delete `key`, or the range from there to `end`."""
    request = {"key": _b64(key)} | ({"range_end": _b64(end)} if end else {})
    return {"request_delete_range": request}


def since(key: str, revision: int) -> Json:
    """Return the condition that `key` was last written at `revision`; 0: that it does not exist."""
    return {
        "key": _b64(key),
        "result": "EQUAL",
        "target": "MOD",
        "mod_revision": str(revision),
    }


def absent(key: str) -> Json:
    """Return the condition that `key` does not exist."""
    return since(key, 0)


def found(answer: Json) -> Found:
    """Return the contents of an answer to a request for a range."""
    values = {_text(one["key"]): _value(one) for one in answer.get("kvs", ())}
    header = answer["header"]
    return Found(values, int(header.get("revision", 0)), header.get("cluster_id", ""))


def batch(result: Json) -> Batch:
    """Return the contents of a message of a watch."""
    changes: dict[str, Value | None] = {}
    for event in result.get("events", ()):
        gone = event.get("type") == "DELETE"
        changes[_text(event["kv"]["key"])] = None if gone else _value(event["kv"])
    header = result["header"]
    return Batch(changes, int(header.get("revision", 0)), header.get("cluster_id", ""))


def _value(kv: Json) -> Value:
    text = b64decode(kv.get("value", "")).decode("utf-8", "replace")
    return Value(text, int(kv.get("mod_revision", 0)), int(kv.get("lease", 0)))


def _b64(text: str) -> str:
    return b64encode(text.encode("utf-8", "surrogatepass")).decode()


def _text(data: str) -> str:
    return b64decode(data).decode("utf-8", "replace")
