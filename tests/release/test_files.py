"""What a release is made of, and that two of them are the same."""

import hashlib
import json
import platform
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from ambassador import __version__
from ambassador.cli.verbs import VERBS
from release import debian, image, inventory, lock, manual, source
from tests.ports import free_port
from tests.program import clean_environ
from tests.relay.peers import read_exactly
from tests.wait import until

from .conftest import make

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the parts are those of x86_64"),
]


def files(made):
    return [*made.wheels, made.before, made.package, made.single, made.inventory]


def test_two_runs_give_equal_bytes(made, tmp_path):
    def sums(one):
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files(one)}

    assert sums(make(tmp_path)) == sums(made)


def test_the_wheel_is_complete(made):
    with zipfile.ZipFile(made.wheels[0]) as wheel:
        names = set(wheel.namelist())
        folder = f"ambassador-{__version__}.dist-info"
        metadata = wheel.read(f"{folder}/METADATA").decode()
    assert {"ambassador/py.typed", f"{folder}/licenses/LICENSE"} <= names
    sources = (source.ROOT / "src").rglob("*.py")
    assert {str(path.relative_to(source.ROOT / "src")) for path in sources} <= names
    for line in ("License-Expression: MIT", "Requires-Python: >=3.11", "Project-URL: "):
        assert f"\n{line}" in metadata


def test_the_source_distribution_has_what_a_release_is_made_from(made):
    with tarfile.open(made.wheels[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"dev", "LICENSE", "Dockerfile", "release/requirements.txt", "docs/routes.md"} <= names


def test_every_verb_has_a_page_that_man_reads_without_complaint(made, tmp_path):
    pages = manual.pages(made.source)
    assert {f"ambassador-{verb}.1" for verb in VERBS} | {"ambassador.1"} <= set(pages)
    manual.write(pages, tmp_path)
    for page in sorted(tmp_path.glob("*.1")):
        done = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww", "-z", str(page)],
            check=True,
            capture_output=True,
            text=True,
        )
        assert done.stderr == "", page.name
    assert "--hold" in pages["ambassador-move.1"].replace("\\-", "-")


def test_the_package_is_without_errors(made):
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error", str(made.package)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "\nE:" not in f"\n{done.stdout}"


def test_the_changes_of_the_package_are_those_of_the_changelog(made):
    said = debian.changelog(made.source)
    assert said.startswith(f"ambassador ({__version__}) unstable; urgency=medium\n\n  * ")
    assert said.endswith(f"{made.source.date}\n")


def test_the_single_file_carries_with_workers(made, tmp_path, peers):
    port = free_port()
    command = [sys.executable, str(made.single), "run", "--workers=1"]
    route = f"DB_PORT_{port}_TCP=tcp://127.0.0.1:{peers.echo().port}"
    environ = clean_environ(SHIV_ROOT=str(tmp_path), AMBASSADOR_ADMIN="off")
    with subprocess.Popen([*command, route], env=environ, stderr=subprocess.PIPE) as process:
        try:
            until(lambda: b"is ready" in process.stderr.readline(), 60)
            with peers.connect(port) as one, peers.connect(port) as other:

                def worker():
                    for sock in (one, other) * 200:
                        sock.sendall(b"question")
                        assert read_exactly(sock, 8) == b"question"
                    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
                    return children.read_text()

                until(worker, 30, "a worker is there")
            assert process.poll() is None
        finally:
            process.terminate()


def test_the_inventory_names_each_part_with_its_version(made):
    parts = {
        one["name"]: one["version"] for one in json.loads(made.inventory.read_text())["components"]
    }
    pinned = [
        line.split(" ")[0].split("==")
        for line in (source.ROOT / "release/requirements.txt").read_text().splitlines()
        if "==" in line
    ]
    assert parts == dict(pinned)


def test_the_sums_are_what_sha256sum_checks(made, tmp_path):
    copy = tmp_path / made.single.name
    copy.write_bytes(made.single.read_bytes())
    sums = inventory.sums([copy], tmp_path)
    command = ["sha256sum", "--check", "--strict", sums.name]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
    copy.write_bytes(b"another")
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 1


def test_the_pinned_parts_are_those_the_project_asks_for(made):
    named = {
        line.split("==")[0].replace("_", "-").lower()
        for line in (source.ROOT / "release/requirements.txt").read_text().splitlines()
        if "==" in line
    }
    asked = {one.split(">")[0].lower() for one in lock.wanted(made.source)}
    assert "cryptography" in asked  # what `pair` needs is in every package
    assert asked <= named


def test_the_package_is_refused_where_python_is_too_old():
    asked = (debian.PARTS / "control").read_text()
    (least,) = re.findall(r"python3 \(>= ([\d.]+)\)", asked)

    def good(version: str) -> bool:
        compare = ["dpkg", "--compare-versions", version, "ge", least]
        return subprocess.run(compare, check=False).returncode == 0

    # Debian 11 and Ubuntu 22.04; Debian 12 and Ubuntu 24.04 (python3-defaults)
    assert not any(map(good, ("3.9.2-3", "3.10.6-1~22.04")))
    assert all(map(good, ("3.11.2-1+b1", "3.12.3-0ubuntu2")))


def test_an_engine_that_does_not_answer_is_said_and_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'nobody.sock'}")
    with pytest.raises(source.ReleaseError, match=r"none answers: .*\n.*systemctl start docker"):
        image.build(source.read(), "debian:trixie-slim", tmp_path, tmp_path)
