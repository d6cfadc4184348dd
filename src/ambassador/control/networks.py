"""A file of networks has changed: use what it says now, or log why the old networks stay."""

from __future__ import annotations

import asyncio

from ambassador import log
from ambassador.control.apply import Applier
from ambassador.control.snapshots import SnapshotReader
from ambassador.errors import AmbassadorError, in_a_line
from ambassador.ports import Admission

__all__ = ["renew"]


async def renew(
    path: str, admission: Admission, applier: Applier, snapshots: SnapshotReader
) -> None:
    """Bring the routes of `applier` that name the file at `path` to what it says now. Where the
    file makes no sense, log and status (`snapshots`) say so, and the last good networks stay.
    """
    name = f"networks {path}"
    of = [route for route in applier.routes if path in admission.files(route)]
    try:
        await asyncio.to_thread(admission.renew, path, of)
        await applier.admit([route.key for route in of])
    except AmbassadorError as error:
        snapshots.bad(error, name)
        text = f"who may come in stays as it was: {in_a_line(error)}"
        log.event(log.ERROR, "networks_failed", text, path=path, error=in_a_line(error))
    else:
        snapshots.well(name)
        names = ", ".join(route.name for route in of)
        text = f"{names}  who may come in was read again from {path}"
        log.event(log.INFO, "networks_read", text, path=path, routes=len(of))
