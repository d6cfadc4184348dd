"""The OpenAPI 3.1 document, made from the table of operations and the dataclasses themselves."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable
from typing import Any, get_args, get_origin

from ambassador.admin.faults import FAULTS, MANNERS, FaultView
from ambassador.admin.look import Look
from ambassador.admin.operations import OPERATIONS, Events, Operation, described
from ambassador.admin.plain import Key, keys_of
from ambassador.control.events import Event
from ambassador.core.results import RouteView, StatusView

__all__ = ["document", "schema_of"]

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}
_REFERENCE = "#/components/schemas/"
_EXAMPLES: dict[str, Any] = {
    "route": "redis",
    "endpoints": ["tcp://192.168.1.53:6379"],
    "endpoint": "tcp://192.168.1.52:6379",
    "assignments": ["DB_PORT_5432_TCP=tcp://db1:5432,tcp://db2:5432?backup"],
    "existing": "drain=30s",
}
_QUERY_STATUSES = (401, 404, 405, 422, 500, 503)


def document(version: str, *, token: bool, metrics: bool) -> dict[str, Any]:
    """Return the document of a door; `token`: it asks for one, `metrics`: it has /metrics."""
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {
        row.path: {row.method.lower(): _operation(row, schemas)} for row in OPERATIONS
    }
    paths["/v1/events"] = {"get": _events(schemas)}
    paths["/v1/look"] = {"get": _look(schemas)}
    plain = {"/healthz": "Whether it runs", "/readyz": "Whether it takes clients; 503: not now"}
    if metrics:
        plain["/metrics"] = "Counters and gauges for Prometheus"
    paths |= {path: {"get": _plain(path, summary, schemas)} for path, summary in plain.items()}
    components: dict[str, Any] = {"schemas": schemas}
    whole: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Ambassador",
            "version": version,
            "description": "Operate a running ambassador. Times in seconds, sizes in bytes.",
        },
        "paths": paths,
        "components": components,
    }
    if token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        whole["security"] = [{"token": []}]
    return whole


def schema_of(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of a type; the schemas of dataclasses go into `schemas`, by name."""
    origin = get_origin(kind)
    if origin is types.UnionType:
        kinds = [schema_of(one, schemas) for one in get_args(kind) if one is not types.NoneType]
        return {"anyOf": [*kinds, {"type": "null"}]}
    if origin is tuple:
        return {"type": "array", "items": schema_of(get_args(kind)[0], schemas)}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        name = kind.__name__
        if name not in schemas:
            schemas[name] = {}
            schemas[name] = _object(kind, schemas)
        return {"$ref": _REFERENCE + name}
    if kind in _SCALARS:
        return {"type": _SCALARS[kind]}
    return {"type": "object"}


def _object(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for key in keys_of(kind):
        properties[key.name] = _property(key, schema_of(key.kind, schemas))
        if key.old:
            properties[key.old] = {**properties[key.name], "deprecated": True}
    return {
        "type": "object",
        "description": described(kind),
        "properties": properties,
        "required": [key.name for key in keys_of(kind) if key.default is dataclasses.MISSING],
        "additionalProperties": False,
    }


def _property(key: Key, schema: dict[str, Any]) -> dict[str, Any]:
    if key.default is not dataclasses.MISSING and "$ref" not in schema:
        default = list(key.default) if isinstance(key.default, tuple) else key.default
        schema = {**schema, "default": default}
    if key.name in _EXAMPLES and schema.get("type") in ("string", "array"):
        schema = {**schema, "examples": [_EXAMPLES[key.name]]}
    return schema


def _operation(row: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": row.verb,
        "summary": row.summary,
        "description": described(row.command),
    }
    if row.method == "GET":
        made["parameters"] = _parameters(row.command)
        statuses: Iterable[int] = _QUERY_STATUSES
    else:
        body = schema_of(row.command, schemas)
        required = bool(schemas[row.command.__name__]["required"])
        made["requestBody"] = {"required": required, "content": _json(body)}
        statuses = sorted({*MANNERS, *(fault.status for fault in FAULTS)})
    result = {"description": described(row.command.result)}
    result["content"] = _json(schema_of(row.command.result, schemas))  # type: ignore[assignment]
    made["responses"] = {"200": result, **_failures(statuses, schemas)}
    return made


def _events(schemas: dict[str, Any]) -> dict[str, Any]:
    line = schema_of(Event, schemas)
    return {
        "operationId": "events",
        "summary": "What has happened, one JSON object a line",
        "description": described(Events),
        "parameters": _parameters(Events),
        "responses": {
            "200": {
                "description": "Lines, each an object as below",
                "content": {"application/x-ndjson": {"schema": {"type": "string"}, "x-line": line}},
            },
            **_failures((401, 405, 422, 500), schemas),
        },
    }


def _look(schemas: dict[str, Any]) -> dict[str, Any]:
    numbers = {"number": "integer", "every": "number", "whole": "boolean", "event": "integer"}
    fields: dict[str, Any] = {name: {"type": kind} for name, kind in numbers.items()}
    fields["gone"] = {"type": "array", "items": {"type": "string"}}
    fields["program"] = schema_of(StatusView, schemas)
    fields["routes"] = {"type": "array", "items": schema_of(RouteView, schemas)}
    told = {"type": "object", "properties": fields, "required": list(fields)}
    return {
        "operationId": "look",
        "summary": "What has changed since the last look of a page",
        "description": described(Look),
        "parameters": _parameters(Look),
        "responses": {
            "200": {"description": described(Look), "content": _json(told)},
            **_failures((401, 405, 422, 500, 503), schemas),
        },
    }


def _plain(path: str, summary: str, schemas: dict[str, Any]) -> dict[str, Any]:
    text = {"content": {"text/plain": {"schema": {"type": "string"}}}}
    responses: dict[str, Any] = {"200": {"description": "Yes", **text}}
    if path == "/readyz":
        responses["503"] = {"description": "Not now: the word says why", **text}
    responses |= _failures((401, 405, 500), schemas)
    return {"operationId": path.strip("/"), "summary": summary, "responses": responses}


def _parameters(kind: Any) -> list[dict[str, Any]]:
    return [
        {"name": key.name, "in": "query", "schema": _property(key, schema_of(key.kind, {}))}
        for key in keys_of(kind)
    ]


def _failures(statuses: Iterable[int], schemas: dict[str, Any]) -> dict[str, Any]:
    content = _json(schema_of(FaultView, schemas))
    words = {fault.status: described(fault.error) for fault in FAULTS}
    words |= {status: meaning for status, (_, meaning) in MANNERS.items()}
    return {str(status): {"description": words[status], "content": content} for status in statuses}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
