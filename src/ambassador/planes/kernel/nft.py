"""Run nft(8), the program that writes and lists rulesets: once for each transaction or listing."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from ambassador.errors import PlaneError, UnsureError
from ambassador.planes.kernel.layout import TABLE
from ambassador.planes.kernel.ruleset import plain
from ambassador.planes.kernel.watch import Made
from ambassador.tasks import spawn

__all__ = [
    "ABSENT",
    "OLDEST",
    "Counter",
    "Found",
    "Nft",
    "crashed",
    "parse_counters",
    "parse_places",
    "parse_table",
    "spoken",
    "version",
]

# Seconds until an nft that does not end is killed: a transaction of 5,000 routes takes 0.15 s, and
# it may have to wait for a transaction of another program.
_PATIENCE = 10.0
_LOOK = 0.1  # seconds between two looks whether there is still time
_PLACE = re.compile(r"(\S+) \. (\d+) \. (\d+)")
_COUNTER = re.compile(r"(\d+) counter packets (\d+) bytes (\d+)")
_NO_VERDICTS = "expected netfilter verdict"  # error for a map declared by `typeof`; see `plain`
ABSENT = "No such file or directory"  # in an error of nft
_ELEMENT = re.compile(r"(?<=[{,]) *\n?\s*(\d+)")
_MOST_ERRORS = 3
OLDEST = (1, 0, 2)  # of Ubuntu 22.04; our rules need nothing newer

Counter = tuple[int, int]  # packets, bytes


@dataclass(frozen=True, slots=True)
class Found:
    """The table with our name: its comment, and its chains."""

    comment: str
    chains: tuple[str, ...]


class Nft:
    """The program at `path`. Every method raises PlaneError, with the error text of nft.

    `stands` tells without nft whether there may be a table with our name.
    """

    def __init__(self, path: str, stands: Callable[[], bool] = lambda: True) -> None:
        self._path = path
        self._stands = stands
        self._patience = _PATIENCE
        self._hurried = self._hung = False
        self._old = False  # this nft needs a `plain` text

    def hurry(self, seconds: float) -> None:
        """Wait no longer than `seconds` for nft from now on, also for one that runs already; after
        one that did not end in time, nft is not run again.
        """
        self._patience, self._hurried = seconds, True

    async def run(self, text: str, made: Made | None = None) -> str:
        """Perform all of `text` or nothing, and return the output of nft. With `made`, return an
        empty text as soon as the kernel reports the transaction: nft itself ends 12 ms later, as it
        waits until no packet can still use what was deleted.
        """
        if made is None:
            return await asyncio.to_thread(self._run, text, ("-f", "-"))
        loop = asyncio.get_running_loop()
        begun: asyncio.Future[int] = loop.create_future()

        def tell(number: int) -> None:
            if not begun.done():
                begun.set_result(number)

        def started(number: int) -> None:
            loop.call_soon_threadsafe(tell, number)

        running = loop.run_in_executor(None, self._run, text, ("-f", "-"), started)
        hearing = spawn(_hear(made, begun), "what nft has made")
        either: tuple[asyncio.Future[Any], ...] = (running, hearing)
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            running.cancel()
            raise
        finally:
            hearing.cancel()
        if running.done():
            return await running
        running.add_done_callback(_passed_over)
        return ""

    async def table(self) -> Found | None:
        """Return the table with our name, without its elements; None when there is none."""
        text = await asyncio.to_thread(self._listed)
        return None if text is None else parse_table(text)

    def _listed(self) -> str | None:
        if not self._stands():
            return None
        done = self._perform("", ("-t", "list", "table", *TABLE.split()))
        if done.returncode and not crashed(done.returncode) and ABSENT in done.stderr:
            return None  # so it is at most starts; to ask for the version takes another process
        return self._judged(done)

    async def counters(self) -> Mapping[str, Mapping[int, Counter]]:
        """Return packets and bytes, by the name of a set (`up_tcp`) and by port."""
        return await asyncio.to_thread(self._counters)

    async def ports(self, name: str) -> frozenset[int]:
        """Return the elements of the set `name`, a set of ports."""
        listing = ("list", "set", *TABLE.split(), name)
        text = await asyncio.to_thread(self._run, "", listing)
        return frozenset(map(int, _ELEMENT.findall(text.partition("elements = ")[2])))

    async def ruleset(self) -> str:
        """Return all tables with the handles of their rules, without elements and counters."""
        return await asyncio.to_thread(self.read)

    def read(self) -> str:
        """Return the same as `ruleset`. Blocks."""
        return self._run("", ("-a", "-s", "-t", "list", "ruleset"))

    async def places(self, name: str) -> set[tuple[str, int, int]]:
        """Return the elements of the set `name` of an address and two ports."""
        arguments = ("list", "set", *TABLE.split(), name)
        return parse_places(await asyncio.to_thread(self._run, "", arguments))

    def _counters(self) -> Mapping[str, Mapping[int, Counter]]:
        # All sets: of several `list set` in one call only the last is printed (nft 1.0.6).
        return parse_counters(self._run("", ("list", "sets", "table", *TABLE.split())))

    def _run(
        self,
        text: str,
        arguments: tuple[str, ...],
        started: Callable[[int], None] = lambda _number: None,
    ) -> str:
        done = self._perform(plain(text) if self._old else text, arguments, started)
        if done.returncode and _NO_VERDICTS in done.stderr and not self._old:
            self._old = True
            done = self._perform(plain(text), arguments)
        return self._judged(done)

    def _judged(self, done: subprocess.CompletedProcess[str]) -> str:
        """Return the output of nft. Raises PlaneError where it has failed."""
        if number := crashed(done.returncode):
            raise PlaneError(
                f"nft has crashed ({number.name}; nft --version says: {self._version()}; a newer "
                "nft may have made rules here that this one cannot read)"
            )
        if done.returncode:
            raise PlaneError(f"nft: {spoken(done.stderr)}{self._unsuited()}")
        return done.stdout

    def _perform(
        self,
        text: str,
        arguments: tuple[str, ...],
        started: Callable[[int], None] = lambda _number: None,
    ) -> subprocess.CompletedProcess[str]:
        # In a thread, not by the child processes of asyncio: uvloop and asyncio wait for these in
        # different ways, and as process 1 we wait for orphaned processes, too.
        if self._hurried and self._hung:
            raise PlaneError("nft: it did not answer before, and there is no time left")
        pipe, began = subprocess.PIPE, monotonic()
        try:
            running = subprocess.Popen(  # noqa: S603 (its program is ours to choose, no shell reads it)
                (self._path, *arguments),
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                text=True,
                process_group=0,
            )
        except OSError as error:
            raise PlaneError(f"nft: {error}") from error
        started(running.pid)
        given: str | None = text
        with running:
            while True:
                try:
                    said, complaint = running.communicate(given, timeout=_LOOK)
                except subprocess.TimeoutExpired:
                    given = None  # the input was given by the first call
                    if monotonic() - began < self._patience:
                        continue
                    os.killpg(running.pid, signal.SIGKILL)
                    self._hung = True
                    what = f"nft: no answer within {self._patience:g} s ({self._path})"
                    raise UnsureError(what) from None
                else:
                    self._hung = False
                    return subprocess.CompletedProcess(
                        running.args, running.returncode, said, complaint
                    )

    def _version(self) -> str:
        try:
            done = subprocess.run(  # noqa: S603 (as above)
                (self._path, "--version"), check=False, capture_output=True, text=True, timeout=5
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"nothing ({error})"
        return " ".join(done.stdout.split()) or "nothing"

    def _unsuited(self) -> str:
        """Return what to add to an error of an nft that may be too old for our rules."""
        said = self._version()
        number = version(said)
        if number is not None and number >= OLDEST:
            return ""
        needed = ".".join(map(str, OLDEST))
        return f" (nft --version says: {said}; {needed} or newer is needed)"


async def _hear(made: Made, begun: asyncio.Future[int]) -> None:
    await made.by_process(await begun)


def _passed_over(ended: asyncio.Future[str]) -> None:
    """Ignore how nft ends: the kernel has reported that the rules are there."""
    if not ended.cancelled():
        ended.exception()


def crashed(code: int) -> signal.Signals | None:
    """Return the signal that ended a program; a shell (or chroot) around it exits with 128 and the
    number of the signal. None where the program ended by itself.
    """
    number = -code if code < 0 else code - 128
    return signal.Signals(number) if number in set(signal.Signals) else None


def version(text: str) -> tuple[int, ...] | None:
    """Read `nftables v1.0.6 (Lester Gooch #5)`."""
    found = re.search(r"\bv(\d+(?:\.\d+)+)", text)
    return tuple(map(int, found[1].split("."))) if found else None


def spoken(output: str) -> str:
    """Return the errors in the output of nft, without the lines of its input (which are long)."""
    errors = [line.partition("Error: ")[2] for line in output.splitlines() if "Error: " in line]
    errors = list(dict.fromkeys(errors)) or output.splitlines()[:1] or ["failed without a word"]
    more = f" (and {len(errors) - _MOST_ERRORS} more)" if len(errors) > _MOST_ERRORS else ""
    return "; ".join(errors[:_MOST_ERRORS]) + more


def parse_table(text: str) -> Found:
    """Read the output of `nft -t list table`."""
    comment = re.search(r'^\tcomment "(.*)"$', text, re.MULTILINE)
    chains = re.findall(r"^\tchain (\S+) \{$", text, re.MULTILINE)
    return Found(comment[1] if comment else "", tuple(chains))


def parse_counters(text: str) -> dict[str, dict[int, Counter]]:
    """Read the output of `nft list sets`: sets of ports, one after the other."""
    found: dict[str, dict[int, Counter]] = {}
    for part in text.split("\tset ")[1:]:
        name, _, rest = part.partition(" ")
        found[name] = {
            int(port): (int(packets), int(size)) for port, packets, size in _COUNTER.findall(rest)
        }
    return found


def parse_places(text: str) -> set[tuple[str, int, int]]:
    """Read the output of `nft list set` for a set of an address and two ports."""
    found = _PLACE.findall(text.partition("elements = {")[2])
    return {(address, int(one), int(other)) for address, one, other in found}
