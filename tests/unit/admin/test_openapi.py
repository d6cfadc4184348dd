import json

import pytest

from ambassador.admin.openapi import document, schema_of
from ambassador.admin.operations import OPERATIONS
from ambassador.core.results import RouteView


@pytest.fixture
def page():
    return document("1.2.3", token=True, metrics=True)


def test_each_operation_is_there_with_its_own_description(page):
    assert page["openapi"].startswith("3.1")
    for row in OPERATIONS:
        found = page["paths"][row.path][row.method.lower()]
        assert found["operationId"] == row.verb
        assert found["summary"] == row.summary
        assert ("requestBody" in found) is row.command.changes
        assert "401" in found["responses"]


def test_a_body_is_the_dataclass(page):
    hold = page["components"]["schemas"]["Hold"]
    assert hold["required"] == ["route"]
    assert hold["additionalProperties"] is False
    assert hold["properties"]["timeout"] == {"type": "number", "default": 30.0}
    assert hold["properties"]["limit"] == {"type": "integer", "default": 1000}
    assert hold["properties"]["route"]["type"] == "string"
    move = page["components"]["schemas"]["Move"]["properties"]["endpoints"]
    assert (move["type"], move["items"]) == ("array", {"type": "string"})


def test_what_may_be_missing_may_be_null():
    schemas = {}
    assert schema_of(RouteView, schemas) == {"$ref": "#/components/schemas/RouteView"}
    hold = schemas["RouteView"]["properties"]["hold"]
    assert hold["anyOf"] == [{"$ref": "#/components/schemas/HoldView"}, {"type": "null"}]
    assert set(schemas) >= {"RouteView", "EndpointView", "HoldView", "Changed"}


def test_every_reference_leads_somewhere(page):
    text = json.dumps(page)
    names = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names
    assert names <= set(page["components"]["schemas"])


def test_what_is_not_there_is_not_promised():
    page = document("1", token=False, metrics=False)
    assert "/metrics" not in page["paths"]
    assert "security" not in page
