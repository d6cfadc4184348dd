"""The directions of docs/architecture.md hold, and the check that says so can fail."""

import re
from pathlib import Path

import pytest

from tests.house.imports import PURE_MODULES, violations

PACKAGE = Path(__file__).parents[2] / "src" / "ambassador"


def test_every_import_keeps_its_direction():
    assert violations(PACKAGE) == []


def test_the_map_names_every_pure_module_inside_a_room():
    page = (PACKAGE.parents[1] / "docs" / "architecture.md").read_text()
    (line,) = [one for one in page.split("\n\n") if one.startswith("Pure, too, are ")]
    named = re.findall(r"`([a-z_/]+)`", line)
    rooms = [name for name in named if name.endswith("/")]
    assert set(rooms) == {
        f"{module.rpartition('.')[0]}/".replace(".", "/") for module in PURE_MODULES
    }
    found, room = set(), ""
    for name in named:
        if name.endswith("/"):
            room = name[:-1].replace("/", ".")
        else:
            found.add(f"{room}.{name}")
    assert found == set(PURE_MODULES)
    assert all((PACKAGE / f"{one.replace('.', '/')}.py").exists() for one in PURE_MODULES)


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
        ("planes/kernel/ways.py", '"""Pure."""\nimport time', "pure, but imports time"),
        ("planes/kernel/entry.py", '"""Pure."""\nfrom socket import socket', "but imports socket"),
        (
            "planes/kernel/ways.py",
            '"""Pure."""\nfrom ambassador.planes.kernel.nft import Nft',
            "pure, but imports ambassador.planes.kernel.nft.Nft, which is not",
        ),
        ("planes/kernel/nft.py", '"""Pure."""', "does one of both"),
        ("planes/kernel/ways.py", '"""Ways."""', "does one of both"),
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
        (
            "planes/kernel/entry.py",
            '"""Pure."""\nfrom socket import AF_INET\nfrom ambassador.planes.kernel.ways import a',
        ),
        ("resolve.py", "import dns.resolver\nfrom ambassador.errors import ResolveError"),
    ],
)
def test_a_right_import_passes(tmp_path, module, code):
    path = tmp_path / "ambassador" / module
    path.parent.mkdir(parents=True)
    path.write_text(code)
    assert violations(tmp_path / "ambassador") == []
