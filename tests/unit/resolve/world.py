"""What a scripted name server says in these tests."""

from __future__ import annotations

from tests.scripted import Said

FOUR, SIX = "10.0.0.1", "fd00::1"


class World:
    """Addresses by kind, None for silence."""

    def __init__(self) -> None:
        self.A: Said = [FOUR]
        self.AAAA: Said = [SIX]
        self.lose = 0  # so many questions are lost first

    def __call__(self, name: str, kind: str, edns: bool) -> Said:
        if self.lose:
            self.lose -= 1
            return None
        said: Said = getattr(self, kind)
        return said
