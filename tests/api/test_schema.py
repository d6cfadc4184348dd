"""The program answers as its own OpenAPI document says, whatever it is asked."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance

from ambassador.admin.operations import OPERATIONS

EXAMPLES = 15  # for each request in each mode; raise it for a long run
REQUESTS = [(row.method, row.path) for row in OPERATIONS] + [
    ("GET", path) for path in ("/v1/events", "/v1/look", "/healthz", "/readyz", "/metrics")
]
# What a text must be is the grammar's to say, beyond a schema; and what cannot be done is a 503,
# an endpoint that does not answer a 502 (RFC 9110 section 15.6).
EXCLUDED = [positive_data_acceptance, not_a_server_error]


@pytest.fixture(scope="module")
def schema(asked):
    """Ask for the document as anybody who has the token may."""
    address = f"http://127.0.0.1:{asked.api}/openapi.json"
    return schemathesis.openapi.from_url(address, headers=asked.headers)


def test_every_request_is_tried(schema):
    known = {(result.ok().method.upper(), result.ok().path) for result in
             schema.get_all_operations()}  # fmt: skip
    assert known == set(REQUESTS)


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), REQUESTS, ids=lambda text: text)
def test_every_answer_is_as_the_document_says(schema, asked, method, path, mode):
    operation = schema[path][method]
    if mode is GenerationMode.NEGATIVE and path in ("/healthz", "/readyz", "/metrics"):
        mode = GenerationMode.POSITIVE  # nothing of them can be wrong
    statuses = set()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def tried(case):
        if path == "/v1/events" and isinstance(case.query, dict) and "follow" in case.query:
            case.query["follow"] = "false"  # it would never end
        if path == "/v1/numbers" and mode is GenerationMode.POSITIVE:
            case.query = {"route": "web"}  # nobody guesses which one there is
        response = case.call(headers=asked.headers, timeout=20)
        statuses.add(response.status_code)
        case.validate_response(response, excluded_checks=EXCLUDED, headers=asked.headers)

    tried()
    assert statuses
    assert 500 not in statuses
    if mode is GenerationMode.POSITIVE and method == "GET":
        assert 200 in statuses


def test_it_forwards_as_ever(asked):
    assert asked.forwards()
