"""The two Compose files: Compose reads them, and they get on with each other on one host."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "compose"
FILES = [FOLDER / "redis-host.yaml", FOLDER / "consumer-host.yaml"]


def read(path):
    return yaml.safe_load(path.read_text())


def networks(file):
    return {name for one in file["services"].values() for name in one.get("networks", ["default"])}


def test_neither_file_replaces_anything_of_the_other_in_one_project():
    one, other = map(read, FILES)
    assert not one["services"].keys() & other["services"].keys()
    assert not networks(one) & networks(other)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_ambassador_that_would_end_with_2_is_not_begun_and_not_restarted(path):
    services = read(path)["services"]
    (name,) = (name for name in services if name.endswith("_ambassador"))
    ((check, wanted),) = services[name]["depends_on"].items()
    assert wanted == {"condition": "service_completed_successfully"}
    assert services[check]["command"] == ["check"]
    assert "restart" not in services[check]
    assert services[check]["environment"] == services[name]["environment"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_compose_reads_it(path):
    if not shutil.which("docker-compose"):
        pytest.skip("needs docker-compose: ./dev test")
    subprocess.run(
        ["docker-compose", "-f", path, "config", "--quiet"],
        check=True,
        timeout=60,
        env=os.environ | {"REDIS_HOST": "192.168.1.52"},
    )
