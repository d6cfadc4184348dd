"""The phases of the program as a table: (phase, turn) -> phase."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["PHASES", "Phase", "Turn"]


class Phase(StrEnum):
    """A phase; a readiness check gets a yes while clients are accepted, here or by a successor."""

    STARTING = "starting"  # the sources are read and every route is installed, or none
    READY = "ready"  # clients are accepted, and commands are done
    LEAVING = "leaving"  # a successor accepts the clients, and is about to answer in our place
    STOPPING = "stopping"  # open sessions end, and nothing is changed any more


class Turn(StrEnum):
    """What happened."""

    INSTALLED = "installed"  # every route is installed
    LEFT = "left"  # another process has the routes
    STOPPED = "stopped"  # a signal, or the operator, ends the program


PHASES: dict[tuple[Phase, Turn], Phase] = {
    (Phase.STARTING, Turn.INSTALLED): Phase.READY,
    (Phase.STARTING, Turn.STOPPED): Phase.STOPPING,
    (Phase.READY, Turn.LEFT): Phase.LEAVING,
    (Phase.READY, Turn.STOPPED): Phase.STOPPING,
    (Phase.LEAVING, Turn.STOPPED): Phase.STOPPING,
    (Phase.STOPPING, Turn.STOPPED): Phase.STOPPING,
}
