"""The package for Debian and Ubuntu (deb(5), Debian policy).

It brings what the program depends on, in versions that were tested together: Debian 12's are older
than what is needed. The interpreter is the system's.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import textwrap
from pathlib import Path

from release import manual
from release.source import ROOT, ReleaseError, Source, run

__all__ = ["build", "changelog", "unit"]

PARTS = ROOT / "release" / "debian"
_CONFFILES = {
    "etc/ambassador/ambassador.toml": "ambassador.toml",
    "etc/default/ambassador": "default",
}
_OWN = {  # what differs in the unit of the package from the one in deploy/
    "ExecStart=/opt/ambassador/bin/ambassador run": "ExecStart=/usr/bin/ambassador run",
    "EnvironmentFile=/etc/ambassador.env": (
        "Environment=AMBASSADOR_CONFIG=/etc/ambassador/ambassador.toml\n"
        "Environment=AMBASSADOR_STATE=/var/lib/ambassador\n"
        "EnvironmentFile=-/etc/default/ambassador"
    ),
    # Those that carry outlive a kill, and the next one takes them back.
    "KillMode=mixed": "KillMode=process\nRuntimeDirectoryPreserve=restart",
    "DynamicUser=yes": "User=ambassador\nGroup=ambassador\nStateDirectory=ambassador",
}


def build(source: Source, machine: str, site: Path, work: Path, out: Path) -> Path:
    """Build the package for `machine` from `site`, what `vendor.folder` returned."""
    tree = work / f"debian-{machine}"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(site, tree / "usr/lib/ambassador")
    _put(tree / "usr/bin/ambassador", (PARTS / "launcher").read_text(), 0o755)
    _put(
        tree / "usr/lib/ambassador/replace-running",
        (PARTS / "replace-running").read_text(),
        0o755,
    )
    _put(tree / "usr/lib/systemd/system/ambassador.service", unit())
    shutil.copy(ROOT / "deploy/systemd/ambassador.socket", tree / "usr/lib/systemd/system")
    for path, part in _CONFFILES.items():
        _put(tree / path, (PARTS / part).read_text())
    for name, text in manual.pages(source).items():
        _zipped(tree / "usr/share/man/man1" / name, text)
    manual.write(manual.completions(), tree)
    _documents(source, tree)
    _control(source, machine, tree)
    for one in tree.rglob("*"):
        os.utime(one, (source.epoch, source.epoch), follow_symlinks=False)
    place = out / f"ambassador_{source.version}_{machine}.deb"
    run(source, "dpkg-deb", "--root-owner-group", "-Zxz", "--build", tree, place)
    return place


def unit() -> str:
    """Return the service of deploy/ as the package has it."""
    text = (ROOT / "deploy/systemd/ambassador.service").read_text()
    for old, new in _OWN.items():
        if old not in text:
            raise ReleaseError(f"deploy/systemd/ambassador.service has no line {old}")
        text = text.replace(old, new)
    return "# The comments are those of deploy/systemd/ambassador.service.\n" + "".join(
        line for line in text.splitlines(keepends=True) if not line.startswith("#")
    )


def changelog(source: Source) -> str:
    """Return CHANGELOG.md's newest section as Debian has it (deb-changelog(5))."""
    text = (ROOT / "CHANGELOG.md").read_text()
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    body = sections[0].partition("\n")[2]
    items = re.findall(r"^- (.*(?:\n  .*)*)", body, flags=re.MULTILINE)
    lines = "\n".join(
        textwrap.fill(
            " ".join(item.split()),
            78,
            initial_indent="  * ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for item in items
    )
    return (
        f"ambassador ({source.version}) unstable; urgency=medium\n\n{lines}\n\n"
        f" -- {_maintainer(source)}  {source.date}\n"
    )


def _maintainer(source: Source) -> str:
    (first, *_) = source.project["authors"]
    return f"{first['name']} <{first['email']}>"


def _documents(source: Source, tree: Path) -> None:
    folder = tree / "usr/share/doc/ambassador"
    licences = [(ROOT / "LICENSE").read_text()]
    for licence in sorted((tree / "usr/lib/ambassador").glob("*.dist-info/**/LICEN[CS]E*")):
        name = licence.relative_to(tree / "usr/lib/ambassador").parts[0].removesuffix(".dist-info")
        text = licence.read_text()
        if "Apache License" in text:  # Debian policy, 12.5
            text = "On Debian systems: /usr/share/common-licenses/Apache-2.0\n"
        licences.append(f"{'-' * 70}\n{name}\n\n{text}")
    _put(folder / "copyright", "\n".join(licences))
    _zipped(folder / "changelog", changelog(source))
    for page in sorted((ROOT / "docs").glob("*.md")):
        _put(folder / page.name, page.read_text())


def _control(source: Source, machine: str, tree: Path) -> None:
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    size = sum(-(-path.stat().st_size // 1024) for path in files)
    control = (PARTS / "control").read_text()
    (tree / "DEBIAN").mkdir()
    _put(
        tree / "DEBIAN/control",
        control.format(
            version=source.version,
            architecture=machine,
            maintainer=_maintainer(source),
            size=size,
            summary=source.project["description"][0].lower() + source.project["description"][1:],
        ),
    )
    _put(tree / "DEBIAN/conffiles", "".join(f"/{place}\n" for place in _CONFFILES))
    sums = (
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  "
        f"{path.relative_to(tree)}\n"
        for path in files
        if str(path.relative_to(tree)) not in _CONFFILES
    )
    _put(tree / "DEBIAN/md5sums", "".join(sums))
    for name in ("postinst", "prerm", "postrm"):
        _put(tree / "DEBIAN" / name, (PARTS / name).read_text(), 0o755)


def _put(place: Path, text: str, mode: int = 0o644) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    place.chmod(mode)


def _zipped(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.with_name(f"{place.name}.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
