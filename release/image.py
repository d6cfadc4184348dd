"""The container image as an archive that any engine loads (OCI image layout 1.0)."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from release.source import ROOT, ReleaseError, Source, run

__all__ = ["archive", "build"]

_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
# What differs from build to build and is of no use in a container.
_NOT_KEPT = (
    *("dev/", "proc/", "sys/", "run/", "tmp/", "var/log/", "var/lib/apt/lists/"),
    *("etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf", ".dockerenv"),
    *("var/cache/ldconfig/aux-cache", "var/lib/dpkg/lock", "var/lib/dpkg/triggers/Lock"),
)


def build(source: Source, base: str, work: Path, out: Path) -> Path:
    """Build the Dockerfile on `base` with the engine that is there, and write it as an archive.

    Its layers are written as one, in which names are sorted and no date is later than the commit's.
    """
    if shutil.which("docker") is None:
        raise ReleaseError("the image is built by an engine: apt-get install docker.io docker-cli")
    try:
        run(source, "docker", "version")
    except ReleaseError as error:
        raise ReleaseError(
            f"the image is built by an engine, and none answers: {str(error).splitlines()[-1]}\n"
            "    start it: systemctl start docker\n"
            "    or leave out the image: ./dev release wheel deb single inventory"
        ) from error
    tag = f"ambassador-release:{source.version}"
    argument = f"SOURCE_DATE_EPOCH={source.epoch}"
    run(
        source,
        *("docker", "build", "--quiet", "--no-cache", "--network", "host"),
        *("--build-arg", f"BASE={base}", "--build-arg", argument, "--tag", tag, ROOT),
    )
    (found,) = json.loads(run(source, "docker", "image", "inspect", tag))
    name = run(source, "docker", "create", tag).strip()
    files = work / "image.tar"
    try:
        run(source, "docker", "export", "--output", files, name)
    finally:
        run(source, "docker", "rm", "--force", name)
        run(source, "docker", "image", "rm", "--force", tag)
    place = out / f"ambassador-{source.version}-{found['Architecture']}.oci.tar"
    config = {
        key: value for key, value in found["Config"].items() if key not in ("Image", "Hostname")
    }
    archive(source, files, config, found["Architecture"], place)
    return place


def archive(source: Source, files: Path, config: dict[str, Any], machine: str, place: Path) -> None:
    """Write the image of `files` (a tar), with `config` (`docker image inspect`), to `place`."""
    plain = io.BytesIO()
    with tarfile.open(files) as given, tarfile.open(fileobj=plain, mode="w") as layer:
        for member in sorted(_kept(given), key=lambda one: one.name):
            member.mtime = min(int(member.mtime), source.epoch)
            member.pax_headers = {
                key: text for key, text in member.pax_headers.items() if key.startswith("SCHILY")
            }
            layer.addfile(member, given.extractfile(member) if member.isreg() else None)
    digest = hashlib.sha256(plain.getvalue()).hexdigest()
    created = datetime.fromtimestamp(source.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    history = [{"created": created, "created_by": "./dev release"}]
    blobs: dict[str, bytes] = {}

    def blob(kind: str, data: bytes) -> dict[str, Any]:
        name = hashlib.sha256(data).hexdigest()
        blobs[name] = data
        return {"mediaType": kind, "digest": f"sha256:{name}", "size": len(data)}

    settings = {
        "created": created,
        "architecture": machine,
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": history,
    }
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": blob(_CONFIG, _json(settings)),
        "layers": [blob(_LAYER, gzip.compress(plain.getvalue(), 9, mtime=0))],
    }
    entry = blob(_MANIFEST, _json(manifest))
    entry["annotations"] = {
        "org.opencontainers.image.ref.name": source.version,
        "io.containerd.image.name": f"docker.io/library/ambassador:{source.version}",
    }
    index = {"schemaVersion": 2, "manifests": [entry]}
    # What `docker load` reads that is older than 25, in the same files.
    older = {
        "Config": f"blobs/sha256/{manifest['config']['digest'][7:]}",
        "RepoTags": [f"ambassador:{source.version}"],
        "Layers": [f"blobs/sha256/{manifest['layers'][0]['digest'][7:]}"],
    }
    with tarfile.open(place, "w") as written:
        _add(source, written, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(source, written, "index.json", _json(index))
        _add(source, written, "manifest.json", _json([older]))
        for name, data in sorted(blobs.items()):
            _add(source, written, f"blobs/sha256/{name}", data)


def _kept(given: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in given:
        name = member.name.removeprefix("./")
        inside = any(name.startswith(one) for one in _NOT_KEPT if one.endswith("/"))
        if name not in _NOT_KEPT and (not inside or name.startswith("run/ambassador")):
            yield member


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _add(source: Source, written: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(data), source.epoch, 0o644
    file: IO[bytes] = io.BytesIO(data)
    written.addfile(entry, file)
