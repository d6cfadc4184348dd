"""What the figures were taken on, and with which versions."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.errors import Missing
from bench.peers import PEERS
from bench.processes import environment

__all__ = ["cores", "describe", "git", "raise_descriptors", "source_mark", "version_in", "versions"]

ROOT = Path(__file__).parent.parent
_ENOUGH = 20000  # more is not used, and nginx reserves memory for each
_TOOLS = {
    "redis-server": ("redis-server", "--version"),
    "redis-benchmark": ("redis-benchmark", "--version"),
    "iperf3": ("iperf3", "--version"),
}


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0))


def raise_descriptors() -> int:
    """Allow as many open files as a run uses, or as this machine lets us; return how many."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    allowed = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


def describe() -> dict[str, str | int]:
    """Return the machine in words that mean something on another one."""
    processor = _lines("/proc/cpuinfo", r"model name\s*: (.*)") or [platform.machine()]
    memory = _lines("/proc/meminfo", r"MemTotal:\s*(\d+) kB")
    system = _lines("/etc/os-release", r'PRETTY_NAME="?([^"]*)"?')
    virtual = any("hypervisor" in flags for flags in _lines("/proc/cpuinfo", r"flags\s*: (.*)")[:1])
    return {
        "processor": processor[0],
        "cores": cores(),
        "memory_gib": round(int(memory[0]) / 2**20) if memory else 0,
        "virtual": "a virtual machine" if virtual else "",
        "kernel": f"{platform.system()} {re.match(r'[0-9.]*', platform.release())[0]}",  # type: ignore[index]
        "system": system[0] if system else "",
        "python": platform.python_version(),
        "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }


def versions() -> dict[str, str]:
    """Return the version of every peer and tool that is there; ours with its commit."""
    found = {}
    for name, peer in PEERS.items():
        try:
            command = peer.version(peer.find())
        except Missing:
            continue
        if command:
            found[name] = _version(command) + (_commit() if peer.ours else "")
    for name, command in _TOOLS.items():
        if shutil.which(name):
            found[name] = _version(command)
    return found


def source_mark() -> str:
    """Return a mark that changes with the sources of the program and of the bench."""
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    for folder in (ROOT / "src", ROOT / "bench"):
        yield from sorted(folder.rglob("*.py"))


def _version(command: Sequence[str]) -> str:
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=20, env=environment()
    )
    return version_in((done.stdout + done.stderr).replace(command[0], ""))


def version_in(text: str) -> str:
    """Return the first version number in what a program prints about itself."""
    match = re.search(r"\d+\.\d+(\.\d+)*", text)
    return match[0] if match else "unknown"


def git(*arguments: str) -> str | None:
    """Return what git says of this repository, None when it says nothing or is not there."""
    if shutil.which("git") is None:
        return None
    command = ["git", "-C", str(ROOT), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


def _commit() -> str:
    found = git("describe", "--always", "--dirty=, changed", "--abbrev=10")
    return f" ({found.strip()})" if found else ""


def _lines(path: str, pattern: str) -> list[str]:
    try:
        return re.findall(pattern, Path(path).read_text())
    except FileNotFoundError:
        return []
