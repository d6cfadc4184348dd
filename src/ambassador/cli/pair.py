"""`ambassador pair SERVER CLIENT`: an authority of your own, and a bundle for each of two sides."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ambassador.errors import ConfigError, Problem, RunError
from ambassador.spec import is_ip, parse_host, shown

if TYPE_CHECKING:
    from ambassador.tls.authority import Authority, Member

__all__ = ["command"]

_DAYS = 90
_MOST_DAYS = 3650
_FORM = "NAME, ADDRESS, or NAME=ADDRESS,NAME,..."
_EXAMPLE = "ambassador pair big-server=192.168.1.52 client-server"
_INSIDE = "/run/secrets/ambassador.pem"
_ELSEWHERE = "192.168.1.52"


@click.command("pair")
@click.argument("sides", nargs=-1, metavar="[SERVER CLIENT | BUNDLE...]")
@click.option("--renew", is_flag=True, help="Make the bundles again, with the same names.")
@click.option("--out", default=".", metavar="DIR", help="The folder of the files.")
@click.option("--days", default=_DAYS, metavar="DAYS", help=f"How long they are valid. [{_DAYS}]")
def command(sides: tuple[str, ...], renew: bool, out: str, days: int) -> None:
    """Make an authority of your own and a bundle for each side of a secret hop, and print the
    commands to type on both hosts.

    \b
    ambassador pair big-server client-server
    ambassador pair big-server=192.168.1.52,big.example.org client-server
    ambassador pair --renew
    ambassador pair --renew big-server.pem --days 30

    A bundle is one file with a certificate, its key and the authority; copy it to its host and to
    no other. The key of the authority stays here, in ambassador-authority.pem.
    """
    folder = Path(out)
    if not 1 <= days <= _MOST_DAYS:
        raise ConfigError(
            Problem("--days", "is out of range", str(days), f"1 to {_MOST_DAYS}", "--days 90")
        )
    if not folder.is_dir():
        raise ConfigError(Problem("--out", "is not a folder", out, "a folder", "--out ."))
    if renew:
        _renew(folder, sides, days)
    else:
        _make(folder, sides, days)


def _make(folder: Path, sides: Sequence[str], days: int) -> None:
    if len(sides) != 2:
        raise ConfigError(
            Problem("pair", f"has {len(sides)} sides", " ".join(sides), f"two: {_FORM}", _EXAMPLE)
        )
    names = [_names(side) for side in sides]
    if names[0][0].lower() == names[1][0].lower():
        raise ConfigError(Problem("pair", "the two sides have one name", sides[0], "", _EXAMPLE))
    authority = _tools()
    from ambassador.tls.authority import AUTHORITY, Member, write  # noqa: PLC0415

    members = [
        Member(own[0], own[1:], other[0]) for own, other in zip(names, names[::-1], strict=True)
    ]
    paths = [folder / _file(member.name) for member in members]
    for path in paths:
        if path.exists():
            again = f"ambassador pair --renew {shlex.quote(str(path))}"
            raise ConfigError(Problem("pair", f"{path} is there already", "", "", again))
    home = folder / AUTHORITY
    try:
        if home.exists():
            signer = _read(home)
        else:
            signer = authority.make(f"ambassador pair {members[0].name}")
            write(home, signer.encode())
        for member, path in zip(members, paths, strict=True):
            write(path, signer.bundle(member, days))
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {(error.strerror or str(error)).lower()}") from (
            error
        )
    print(_told(members, paths, home, days))


def _renew(folder: Path, sides: Sequence[str], days: int) -> None:
    _tools()
    from ambassador.tls.authority import AUTHORITY, members_in, read_member, write  # noqa: PLC0415

    paths = [_path(folder, side) for side in sides] or list(members_in(folder))
    home = folder / AUTHORITY
    if sides and not home.exists():
        home = paths[0].parent / AUTHORITY
    if not home.exists():
        what = f"{AUTHORITY} is not in {folder}: bundles are renewed where they were made"
        raise ConfigError(
            Problem("pair --renew", what, "", "", "ambassador pair --renew --out DIR")
        )
    signer = _read(home)
    done = []
    for path in paths:
        try:
            member, before = read_member(path)
        except (OSError, ValueError) as error:
            if not sides:  # another file in this folder, not a bundle
                continue
            raise ConfigError(
                Problem("pair --renew", f"{path} is not a bundle: {error}", "", "", _EXAMPLE)
            ) from error
        if not signer.has_signed(before):
            if not sides:
                continue
            what = f"{path} is of another authority than {home}"
            raise ConfigError(Problem("pair --renew", what, "", "a bundle of it", _EXAMPLE))
        try:
            write(path, signer.bundle(member, days))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RunError(f"cannot write {path}: {reason}") from error
        done.append(f"{path}  {', '.join(member.names)}: valid for {days} days")
    if not done:
        raise ConfigError(
            Problem("pair --renew", f"there is no bundle of {home} in {folder}", "", "", _EXAMPLE)
        )
    print("\n".join(done))
    print("Put each in the place of the old bundle on its host; it is used without a restart.")


def _read(home: Path) -> Authority:
    from ambassador.tls.authority import Authority  # noqa: PLC0415

    try:
        return Authority.read(home)
    except (OSError, ValueError) as error:
        what = f"{home} is not an authority with its key: {error}"
        raise ConfigError(Problem("pair", what, "", "what pair has made", _EXAMPLE)) from error


def _tools() -> type[Authority]:
    try:
        from ambassador.tls.authority import Authority  # noqa: PLC0415 (60 ms and 9 MB)
    except ImportError as error:
        raise RunError(
            f"pair needs a library that is not installed ({error.name}): "
            "pip install 'ambassador[pair]', or use the image"
        ) from error
    return Authority


def _names(side: str) -> tuple[str, ...]:
    """Return the names and addresses of `side`, its main name first. Raises ConfigError."""
    first, _, rest = side.partition("=")
    found = [first, *(rest.split(",") if rest else [])]
    where = f"pair {shown(side)}"
    try:
        return tuple(one if "://" in one else parse_host(one, where) for one in found)
    except ConfigError as error:
        raise ConfigError(
            *(Problem(p.where, p.what, p.read, _FORM, _EXAMPLE) for p in error.problems)
        ) from None


def _file(name: str) -> str:
    return f"{name.replace('://', '-').replace('/', '-').replace(':', '-')}.pem"


def _path(folder: Path, side: str) -> Path:
    """Return the path of a bundle: `side` is this path, or the name of the side."""
    path = Path(side)
    return path if path.exists() or side.endswith(".pem") else folder / _file(side)


def _told(members: Sequence[Member], paths: Sequence[Path], home: Path, days: int) -> str:
    server, client = members
    address = next((one for one in server.names if is_ip(one)), "")
    if not address and server.others:
        address = server.others[0]
    address = address or _ELSEWHERE
    where = f"[{address}]" if ":" in address else address
    return f"""\
{paths[0]}  for {server.name}, valid for {days} days
{paths[1]}  for {client.name}, valid for {days} days
{home}  signs them: keep it here; `ambassador pair --renew` needs it

On {server.name}, where the service is a container called redis (or any other service and port):

{
        _line(
            paths[0],
            "-p 6379:6379 --link redis:redis",
            "REDIS_PORT_6379_TCP=tcp://redis:6379",
            "REDIS_PORT_6379_TCP_LISTEN=tls://:6379",
        )
    }

On {client.name}, with the address of {server.name}:

{
        _line(
            paths[1],
            "--name redis_ambassador --expose 6379",
            f"REDIS_PORT_6379_TCP=tls://{where}:6379",
        )
    }
"""


def _line(path: Path, how: str, *variables: str) -> str:
    """Return a command; only its owner may read the file, so the program runs as this user."""
    file = f'"$PWD"/{shlex.quote(path.name)}'
    said = " ".join(f"-e {one}" for one in (f"AMBASSADOR_IDENTITY={_INSIDE}", *variables))
    return f'docker run -d {how} --user "$(id -u)" -v {file}:{_INSIDE}:ro {said} ambassador'
