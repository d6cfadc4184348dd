"""The values of /metrics, gathered from all parts; the code that makes text of them is imported
with the first request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ambassador import log
from ambassador.control.reconciler import Reconciler
from ambassador.core.phase import Phase
from ambassador.handover.transfer import Transfer
from ambassador.planes.kernel.tracking import fill
from ambassador.planes.relay.plane import RelayPlane
from ambassador.telemetry.durations import Durations

if TYPE_CHECKING:
    from ambassador.telemetry.prometheus import Facts, MetricsText

__all__ = ["Figures"]


class Figures:
    """Creates `MetricsText` with the first request of /metrics, and calls it."""

    def __init__(
        self, reconciler: Reconciler, relay: RelayPlane, transfer: Transfer, durations: Durations
    ) -> None:
        self._reconciler = reconciler
        self._relay = relay
        self._transfer = transfer
        self._durations = durations
        self._text: MetricsText | None = None

    async def __call__(self) -> Sequence[bytes]:
        """Return the text with the values of this moment; see ports.MetricsPage."""
        if self._text is None:
            from ambassador.telemetry.prometheus import MetricsText  # noqa: PLC0415 (see above)

            self._text = MetricsText(self._facts, self._durations)
        return await self._text()

    async def _facts(self) -> Facts:
        from ambassador.telemetry.prometheus import Facts  # noqa: PLC0415 (it is there)

        reconciler, relay = self._reconciler, self._relay
        statuses = await reconciler.look()
        before = self._transfer.before(one.route for one in statuses)
        ready = reconciler.phase is Phase.READY and not reconciler.waits_for
        return Facts(
            *(ready, statuses, reconciler.sources, before),
            *(len(relay.offload.workers), relay.buffered, log.dropped()),
            *(fill(), relay.source_ports.missed),
            *(reconciler.switches.views(statuses), reconciler.identity),
        )
