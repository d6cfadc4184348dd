"""Take every measurement of a plan, show progress, keep the samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.bed import Bed
from bench.errors import Missing
from bench.loads.load import Pace, shortcoming
from bench.metrics import METRICS
from bench.peers import PEERS
from bench.peers.peer import Limits
from bench.plan import Step
from bench.samples import Run, Sample

__all__ = ["Runner"]


class Runner:
    """Does the steps of one run.

    The beds of a round stand side by side, each in namespaces of its own, so that the peers are
    measured one right after the other and nothing of one round is left in the next.
    """

    def __init__(
        self,
        run: Run,
        folder: Path,
        limits: Limits,
        *,
        seconds: float,
        isolated: bool,
        save: Callable[[], None],
        show: Callable[[str], None],
    ) -> None:
        self._run = run
        self._folder = folder
        self._limits = limits
        self._pace = Pace(seconds)
        self._isolated = isolated
        self._save = save
        self._show = show
        self._done = {sample.key for sample in run.samples}
        self._beds: dict[str, Bed] = {}
        self._absent: dict[str, str] = {}
        self._told = list(run.remarks)

    def do(self, steps: Sequence[Step]) -> None:
        """Do what is not done yet. Everything started is ended, also after an exception."""
        began, spent, total = time.monotonic(), 0.0, sum(map(self._left, steps))
        place: tuple[int, str] | None = None
        earlier = self._run.seconds
        try:
            for step in steps:
                if not (weight := self._left(step)):
                    continue
                if place != (step.round, step.topology):
                    self._end_beds()
                    place = (step.round, step.topology)
                self._do_step(step, steps[-1].round)
                spent += weight
                took = time.monotonic() - began
                self._run.seconds = earlier + took
                self._show(f"   {spent / total:.0%}, {_left(took / spent * (total - spent))}\n")
        finally:
            self._end_beds()

    def _left(self, step: Step) -> float:
        left = [peer for peer in step.peers if (*_place(step), peer) not in self._done]
        return len(left) * step.load.weight

    def _do_step(self, step: Step, rounds: int) -> None:
        self._show(f"{step.round}/{rounds} {step.topology}, {step.load.label}:")
        for peer in step.peers:
            if (*_place(step), peer) in self._done:
                continue
            sample = self._measure(step, peer)
            self._run.samples.append(sample)
            self._save()
            self._done.add(sample.key)
            self._show(f" {peer} {_short(step, sample)}")
            if sample.missing and not any(sample.missing in line for line in self._told):
                self._told.append(f"{peer}: {sample.missing}")
                self._show(f"\n   {self._told[-1]}\n  ")

    def _measure(self, step: Step, peer: str) -> Sample:
        values, missing = {}, shortcoming(step.load, self._limits.descriptors)
        try:
            if not missing:
                bed = self._bed(step, peer)
                values = dict(step.load.run(step.load, bed, self._pace))
        except Missing as reason:
            missing = str(reason)
        except OSError as error:
            missing = f"{error.strerror or error} ({type(error).__name__})"
        if missing and peer in self._beds:
            # Whatever state it is in, the next load gets a fresh one.
            self._beds.pop(peer).end()
        return Sample(step.number, step.topology, step.load.key, peer, values, missing)

    def _bed(self, step: Step, peer: str) -> Bed:
        if peer in self._absent:
            raise Missing(self._absent[peer])
        if peer not in self._beds:
            number = list(PEERS).index(peer)
            folder = self._folder / f"{step.round}-{step.topology}-{peer}"
            bed = Bed(PEERS[peer], step.topology, folder, self._limits, number, self._isolated)
            try:
                bed.start()
            except BaseException as error:
                bed.end()
                if isinstance(error, Missing):
                    self._absent[peer] = str(error)
                raise
            self._beds[peer] = bed
        return self._beds[peer]

    def _end_beds(self) -> None:
        self._absent.clear()
        while self._beds:
            self._beds.popitem()[1].end()


def _place(step: Step) -> tuple[int, str, str]:
    return step.number, step.topology, step.load.key


def _short(step: Step, sample: Sample) -> str:
    name = step.load.metrics[0]
    value = sample.values.get(name)
    if value is None:
        return "-"
    digits = METRICS[name].digits
    return f"{value / 1000:.1f}k" if value >= 10000 else f"{value:.{digits}f}"


def _left(seconds: float) -> str:
    return f"about {seconds / 60:.0f} min left" if seconds > 90 else f"about {seconds:.0f} s left"
