"""What every result has to be."""

import inspect
from dataclasses import fields, is_dataclass
from typing import get_type_hints

import pytest

from tests.plain import RESULTS, plain


@pytest.mark.parametrize("kind", RESULTS, ids=lambda kind: kind.__name__)
def test_every_field_is_a_plain_value(kind):
    hints = get_type_hints(kind)
    assert is_dataclass(kind)
    assert [f.name for f in fields(kind) if not plain(hints[f.name])] == []
    assert inspect.getdoc(kind)
