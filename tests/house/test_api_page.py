"""docs/api.md names every field of every answer, and every verb."""

from pathlib import Path

import pytest

from ambassador.admin.plain import keys_of
from ambassador.core import results
from ambassador.core.commands import VERBS

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
TOLD = ("Bucket", "ChangeList", "ChangeView", "Changed", "Counted", "EarlierView", "EndpointView",
        "HoldView", "Moved", "NumbersView", "Place", "RemovedView", "RouteView", "SessionList",
        "SessionView", "SourceView", "StatusView", "Undone")  # fmt: skip


@pytest.mark.parametrize("kind", TOLD)
def test_every_field_is_told(kind):
    names = [key.name for key in keys_of(getattr(results, kind))]
    missing = [name for name in names if f"`{name}`" not in PAGE]
    assert missing == []


@pytest.mark.parametrize("kind", TOLD)
def test_every_old_key_is_told_beside_the_new_one(kind):
    for key in keys_of(getattr(results, kind)):
        assert not key.old or f"| `{key.name}` | `{key.old}` |" in PAGE


def test_every_verb_and_its_fields_are_told():
    for verb, command in VERBS.items():
        (line,) = [line for line in PAGE.splitlines() if f"/v1/{verb}`" in line]
        for key in keys_of(command):
            assert f'"{key.name}"' in line or f"`{key.name}`" in line
