"""How tests are dealt out to processes that run side by side (`./dev test`, pytest-xdist)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadScopeScheduling

__all__ = ["ByFile", "longest_first"]

# Folders whose files take longest; what begins late must be short.
_LONG = ("docker", "scenario", "conformance", "kernel", "relay", "bench", "house", "contract")


class ByFile(LoadScopeScheduling):
    """Files go to whichever process is free, in the order in which they were collected. All of
    tests/docker goes to one process: its engines are started, and its images loaded, once.
    """

    def __init__(self, config: pytest.Config, log: object) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # the number of tests says nothing of their time

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "tests/docker" if file.startswith("tests/docker/") else file


def longest_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return `items` with those of long folders before the others."""

    def rank(item: pytest.Item) -> int:
        folder = item.nodeid.split("/")[1:2]
        return _LONG.index(folder[0]) if folder and folder[0] in _LONG else len(_LONG)

    return sorted(items, key=rank)
