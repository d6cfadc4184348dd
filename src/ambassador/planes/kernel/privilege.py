"""What this process may do to the kernel's tables, and how it can get the rights that it lacks.

Docker's `--cap-add` alone gives no right to a user other than root: the capability is only in the
bounding set. So the interpreter of the image has file capabilities, which are in its permitted set
(capabilities(7)); `acquire` makes them effective, and ambient, so that nft has them, too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ambassador.planes.kernel.eligible import Abilities
from ambassador.planes.kernel.netconf import why_not

__all__ = ["NET_ADMIN", "NET_RAW", "acquire", "find", "look"]

NET_ADMIN, NET_RAW = 12, 13  # linux/capability.h
_NAMES = {NET_ADMIN: "NET_ADMIN", NET_RAW: "NET_RAW"}
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"  # not in the PATH of an ordinary user

_VERSION_3 = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2


def acquire() -> None:
    """Make the permitted capabilities that we need effective and ambient, in this thread and in the
    threads that it starts from now on. Does nothing where they are so already, or not permitted.
    """
    sets = _sets()
    wanted = [number for number in _NAMES if sets["CapPrm"] >> number & 1]
    mask = sum(1 << number for number in wanted)
    if not mask or (sets["CapEff"] & mask == mask and os.geteuid() == 0):
        return
    if sets["CapAmb"] & mask == mask:
        return
    import ctypes  # noqa: PLC0415 (10 ms, needed for file capabilities only)

    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    # Two records for 64 bits: effective, permitted and inheritable of the lower, then the upper.
    values = (sets["CapEff"] | mask, sets["CapPrm"], sets["CapInh"] | mask)
    data = (ctypes.c_uint32 * 6)(
        *(value & 0xFFFFFFFF for value in values), *(value >> 32 for value in values)
    )
    if libc.capset(header, data) == 0:
        for number in wanted:
            libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number, 0, 0)


def look() -> Abilities:
    """Return what this process can do now."""
    sets = _sets()
    nft = find("nft", f"{os.environ.get('PATH', '')}:{_SBIN}")
    missing = _lacks(NET_ADMIN, sets, os.geteuid())
    if not missing and not nft:
        missing = "the program nft is missing (apt-get install nftables)"
    return Abilities(
        nft=nft,
        missing=missing,
        no_cut=_lacks(NET_RAW, sets, os.geteuid()),
        no_ipv4=why_not(ipv6=False),
        no_ipv6=why_not(ipv6=True),
    )


def find(program: str, path: str) -> str:
    """Return where `program` is in the folders of `path`, which are separated by colons; empty
    where it is in none. Not shutil.which: shutil imports compressors, 3 ms and 0.3 MB in all.
    """
    for folder in filter(None, path.split(os.pathsep)):
        place = os.path.join(folder, program)  # noqa: PTH118 (Path raises where it may not look)
        if os.path.isfile(place) and os.access(place, os.X_OK):  # noqa: PTH113 (the same)
            return place
    return ""


def _lacks(number: int, sets: Mapping[str, int], user: int) -> str:
    """Return why the capability `number` cannot be used, and how to get it."""
    name = _NAMES[number]
    if sets["CapEff"] >> number & 1 and (user == 0 or sets["CapAmb"] >> number & 1):
        return ""
    if not sets["CapBnd"] >> number & 1:
        return f"CAP_{name} is missing (docker run --cap-add {name})"
    if sets["NoNewPrivs"]:
        return (
            f"under no-new-privileges user {user} cannot have CAP_{name} "
            f"(docker run --user 0 --cap-add {name}, or without no-new-privileges)"
        )
    return (
        f"user {user} has no CAP_{name} (docker run --user 0 --cap-add {name}, "
        f"AmbientCapabilities=CAP_{name} of systemd)"
    )


def _sets() -> dict[str, int]:
    """Return the capability sets of this process by their names in proc_pid_status(5)."""
    found = {}
    for line in Path("/proc/thread-self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.startswith("Cap"):
            found[name] = int(value, 16)
        elif name == "NoNewPrivs":
            found[name] = int(value)
    return found
