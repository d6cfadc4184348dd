"""docs/api.md has a line for each request and each error, as the tables have them."""

import dataclasses
import re
from pathlib import Path

from ambassador.admin.faults import FAULTS
from ambassador.admin.operations import OPERATIONS

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def test_each_operation_is_there_with_its_fields():
    rows = dict(re.findall(r"^\| `((?:GET|POST) /v1/\S+)` \| (.*) \|$", PAGE, re.M))
    assert rows.keys() == {f"{row.method} {row.path}" for row in OPERATIONS} | {"GET /v1/events"}
    for row in OPERATIONS:
        fields = [field.name for field in dataclasses.fields(row.command)]
        text = rows[f"{row.method} {row.path}"]
        assert [name for name in fields if name not in text] == []


def test_each_error_is_there_with_its_exit_code():
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (\d) \|", PAGE, re.M)
    known = [(str(row.status), row.kind, str(row.exit_code)) for row in FAULTS]
    assert sorted(rows) == sorted(known)
