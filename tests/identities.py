"""Identities for tests: authorities, bundles of them, and what is wrong with some."""

from __future__ import annotations

import datetime
from pathlib import Path

from ambassador.tls.authority import Authority, Member

__all__ = ["Identities"]


class Identities:
    """Bundles in `folder`, of one authority where no other is named."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._authorities: dict[str, Authority] = {}

    def authority(self, name: str = "ours") -> Authority:
        if name not in self._authorities:
            self._authorities[name] = Authority.make(name)
        return self._authorities[name]

    def bundle(
        self,
        name: str,
        *others: str,
        peer: str = "",
        of: str = "ours",
        days: float = 90,
        begins: float = 0,
    ) -> str:
        """Write a bundle and return its path; `begins` so many days from now."""
        now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=begins)
        data = self.authority(of).bundle(Member(name, others, peer), days, now)
        path = self.folder / f"{name.replace('/', '-')}-{of}.pem"
        path.write_bytes(data)
        path.chmod(0o600)
        return str(path)

    def pair(self) -> tuple[str, str]:
        """Return the bundles of two that know each other."""
        return (
            self.bundle("big-server", peer="client-server"),
            self.bundle("client-server", peer="big-server"),
        )
