"""One line of the log for each session that has ended, at debug level."""

from __future__ import annotations

from ambassador import log
from ambassador.ports import SessionRecord

__all__ = ["tell"]


def tell(record: SessionRecord) -> None:
    """Log the end of a session; implements ports.SessionEnded."""
    if not log.enabled(log.DEBUG):
        return
    why = f"{record.reason}: {record.detail}" if record.detail else str(record.reason)
    log.event(
        log.DEBUG,
        "session_closed",
        f"{record.route}  {record.client} -> {record.address or '-'}  "
        f"{record.to_upstream} B up  {record.to_client} B down  {record.total:.3f} s  {why}",
        route=record.route,
        client=record.client,
        endpoint=record.address or None,
        plane=record.plane,
        to_upstream=record.to_upstream,
        to_client=record.to_client,
        seconds=round(record.total, 6),
        reason=record.reason.value,
        detail=record.detail,
        dropped=record.dropped,
    )
