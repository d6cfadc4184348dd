"""The directions of docs/architecture.md hold, and the check that says so can fail."""

from pathlib import Path

import pytest

from tests.house.imports import violations

PACKAGE = Path(__file__).parents[2] / "src" / "ambassador"


def test_every_import_keeps_its_direction():
    assert violations(PACKAGE) == []


@pytest.mark.parametrize(
    ("module", "code", "finding"),
    [
        ("core/plan.py", "import asyncio", "ambassador.core.plan: pure, but imports asyncio"),
        ("spec.py", "from os import environ", "ambassador.spec: pure, but imports os"),
        ("core/merge.py", "def f():\n    import time", "core.merge: pure, but imports time"),
        ("model.py", "import click", "imports click, which is not of the standard library"),
        ("model.py", "from ambassador import spec", "imports ambassador.spec, which stands above"),
        ("core/plan.py", "from ambassador.ports import Source", "which stands above it"),
        ("core/plan.py", "from ..tasks import spawn", "imports ambassador.tasks.spawn"),
        ("errors.py", "from . import model", "imports ambassador.model, which stands above it"),
        ("sources/env.py", "from ambassador.resolve import Dns", "imports the adapter"),
        ("planes/relay/pipe.py", "import ambassador.sources", "the adapter ambassador.sources"),
        ("control/reconciler.py", "from ambassador.planes.relay.plane import R", "only app may"),
        ("control/reconciler.py", "from ambassador.sources import env", "only app may"),
        ("cli/run.py", "from ambassador.resolve import Dns", "only app may"),
        ("resolve.py", "from ambassador.settings import S", "only app and cli may"),
        ("demo.py", "from ambassador.settings import S", "only app and cli may"),
        ("app/application.py", "from ambassador.cli import main", "which stands above it"),
        ("helpers.py", "", "in no layer"),
        ("planes/__init__.py", "from ambassador.planes.relay.plane import R", "holds no code"),
    ],
)
def test_a_wrong_import_is_found(tmp_path, module, code, finding):
    path = tmp_path / "ambassador" / module
    path.parent.mkdir(parents=True)
    path.write_text(code)
    (found,) = violations(tmp_path / "ambassador")
    assert finding in found


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("core/plan.py", "from ambassador.model import Route\nimport dataclasses"),
        ("planes/relay/pipe.py", "import asyncio\nfrom .udp import Flow\nfrom . import udp"),
        ("planes/__init__.py", '"""Carry the traffic."""'),
        ("app/assemble.py", "from ambassador.planes.relay.plane import R\nfrom .. import settings"),
        ("cli/run.py", "from ambassador import app, settings, __version__"),
        ("resolve.py", "import dns.resolver\nfrom ambassador.errors import ResolveError"),
    ],
)
def test_a_right_import_passes(tmp_path, module, code):
    path = tmp_path / "ambassador" / module
    path.parent.mkdir(parents=True)
    path.write_text(code)
    assert violations(tmp_path / "ambassador") == []
