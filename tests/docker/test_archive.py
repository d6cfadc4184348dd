"""The image as a release has it: one archive, the same bytes each time, that an engine runs."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from release import image, source

from .bed.engine import Engine
from .bed.images import AMBASSADOR


@pytest.fixture
def archived(near: Engine, tmp_path: Path) -> Path:
    """Two containers of one image, exported and archived one after the other: the same bytes."""
    found, config = source.read(), near.inspect(AMBASSADOR)["Config"]
    written = []
    for number in range(2):
        files, place = tmp_path / f"{number}.tar", tmp_path / f"{number}.oci.tar"
        near.docker("create", "--name", f"exported{number}", AMBASSADOR)
        near.docker("export", "--output", str(files), f"exported{number}", within=120)
        image.archive(found, files, config, "amd64", place)
        files.unlink()
        written.append(place)
    assert written[0].read_bytes() == written[1].read_bytes()
    return written[0]


def test_an_archive_is_alike_each_time_and_runs_as_the_image_does(
    near: Engine, archived: Path
) -> None:
    with tarfile.open(archived) as archive:
        layout = json.load(archive.extractfile("oci-layout"))
        (manifest,) = json.load(archive.extractfile("index.json"))["manifests"]
        names = archive.getnames()
    assert layout == {"imageLayoutVersion": "1.0.0"}
    assert f"blobs/sha256/{manifest['digest'].removeprefix('sha256:')}" in names
    version = source.read().version
    assert f"ambassador:{version}" in near.docker("load", "--input", str(archived), within=120)
    tag = f"ambassador:{version}"
    assert near.docker("run", "--rm", tag, "--version") == f"ambassador {version}"
    # The capabilities of its Python are attributes of a file: they were kept.
    script = """
import os, sys
print(len(os.getxattr(os.path.realpath(sys.executable), "security.capability")))
"""
    said = near.docker("run", "--rm", "--entrypoint", "python3", tag, "-c", script)
    assert said == "20"
    user = near.docker("run", "--rm", "--entrypoint", "id", tag, "-u")
    assert user == "65532"
    near.docker("image", "rm", "--force", tag)
