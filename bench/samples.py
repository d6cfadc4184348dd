"""The samples of a run on disk, written after each one, so that a run can be gone on with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import BenchError

__all__ = ["FORMAT", "Run", "Sample", "load_run", "save_run"]

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement: its values by metric, or why there are none."""

    round: int
    topology: str
    load: str
    peer: str
    values: Mapping[str, float]
    missing: str = ""

    @property
    def key(self) -> tuple[int, str, str, str]:
        """What makes it the same measurement in a run that is gone on with."""
        return self.round, self.topology, self.load, self.peer


@dataclass(slots=True)
class Run:
    """All of a run. `asked` is what has to be equal for a run to be gone on with."""

    asked: Mapping[str, Any]
    machine: Mapping[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    began: str = ""
    ended: str = ""  # empty while it is not whole
    seconds: float = 0.0


def save_run(run: Run, path: Path) -> None:
    """Write `run` as JSON, one line a sample; the file is whole at any moment."""
    head = asdict(run)
    samples = [json.dumps(_rounded(sample), ensure_ascii=False) for sample in head.pop("samples")]
    lines = [f" {json.dumps(key)}: {_text(value)}," for key, value in head.items()]
    body = ",\n  ".join(samples)
    text = "\n".join(
        ["{", f' "format": {FORMAT},', *lines, ' "samples": [', f"  {body}", " ]", "}", ""]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    with beside.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def load_run(text: str, where: str) -> Run:
    """Return the run that `text` holds. Raises BenchError when it is none of ours."""
    try:
        data = json.loads(text)
        if data.pop("format") != FORMAT:
            raise BenchError(f"{where}: written by another version of the bench")
        samples = [Sample(**sample) for sample in data.pop("samples")]
        return Run(**data, samples=samples)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BenchError(f"{where}: no figures of the bench: {error!r}") from None


def _rounded(sample: dict[str, Any]) -> dict[str, Any]:
    values = {name: float(f"{value:.6g}") for name, value in sample["values"].items()}
    kept = {**sample, "values": values}
    if not kept["missing"]:
        del kept["missing"]
    return kept


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
