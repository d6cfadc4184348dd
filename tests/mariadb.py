"""A MariaDB made as its own installer makes it, whose programs are of another package."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["bootstrap"]

# Debian 12 has the first, Debian 13 the second.
TABLES = "mysql/mysql_system_tables", "mariadb/mariadb_system_tables"


def bootstrap(folder: Path) -> tuple[str, ...]:
    """Make the tables of a server in `folder`, and return the options it is started with."""
    options = (
        *("--no-defaults", f"--datadir={folder}", "--user=root"),
        "--innodb-buffer-pool-size=8M",
    )
    share = Path("/usr/share")
    name = next(one for one in TABLES if (share / f"{one}.sql").exists())
    tables = [share / f"{name}{end}.sql" for end in ("", "_data")]
    sql = "create database mysql;\nuse mysql;\n" + "".join(one.read_text() for one in tables)
    command = ["mariadbd", *options, "--bootstrap"]
    subprocess.run(command, input=sql, text=True, capture_output=True, check=True, timeout=60)
    return options
