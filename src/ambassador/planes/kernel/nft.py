"""Run nft(8), the one program that writes rulesets: one transaction, or one question."""

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

# Seconds until an nft that does not end is killed: a transaction of 5,000 routes takes 0.15 s, the
# kernel itself may wait for another's.
_PATIENCE = 10.0
_LOOK = 0.1  # seconds between two looks whether there is still time
_PLACE = re.compile(r"(\S+) \. (\d+) \. (\d+)")
_COUNTER = re.compile(r"(\d+) counter packets (\d+) bytes (\d+)")
_NO_VERDICTS = "expected netfilter verdict"  # said of a map that `typeof` declares; see `plain`
ABSENT = "No such file or directory"  # in what nft says
_ELEMENT = re.compile(r"(?<=[{,]) *\n?\s*(\d+)")
_MOST_ERRORS = 3
OLDEST = (1, 0, 2)  # of Ubuntu 22.04; what we write is older than that

Counter = tuple[int, int]  # packets, bytes


@dataclass(frozen=True, slots=True)
class Found:
    """What stands under the name of our table: its comment, and its chains."""

    comment: str
    chains: tuple[str, ...]


class Nft:
    """The program at `path`. Everything raises PlaneError with nft's own words."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._patience = _PATIENCE
        self._hurried = self._hung = False
        self._old = False  # it needs a `plain` text

    def hurry(self, seconds: float) -> None:
        """From now on, also for what is being done, wait no longer than `seconds`; once it has
        not answered in time, it is not run again.
        """
        self._patience, self._hurried = seconds, True

    async def run(self, text: str, made: Made | None = None) -> str:
        """Perform all of `text` or nothing, and return what it prints; nothing where `made` has
        heard that it is done. nft itself ends 12 ms later: it waits until no packet can be looking
        at what was deleted.
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
        """Return what the table is, without its elements; None when there is none."""
        text = await asyncio.to_thread(self._listed)
        return None if text is None else parse_table(text)

    def _listed(self) -> str | None:
        done = self._perform("", ("-t", "list", "table", *TABLE.split()))
        if done.returncode and not crashed(done.returncode) and ABSENT in done.stderr:
            return None  # as at most starts: no word of its version, which takes another process
        return self._judged(done)

    async def counters(self) -> Mapping[str, Mapping[int, Counter]]:
        """Return packets and bytes by the name of a set (`up_tcp`) and by port."""
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
        """Return what `ruleset` returns. Blocks."""
        return self._run("", ("-a", "-s", "-t", "list", "ruleset"))

    async def places(self, name: str) -> set[tuple[str, int, int]]:
        """Return the elements of the set `name` of an address and two ports."""
        arguments = ("list", "set", *TABLE.split(), name)
        return parse_places(await asyncio.to_thread(self._run, "", arguments))

    def _counters(self) -> Mapping[str, Mapping[int, Counter]]:
        # All sets: several `list set` at once find only the last (seen with nft 1.0.6).
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
        """Return what nft has printed. Raises PlaneError where it has failed."""
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
        # A thread and not the loop's own child processes: uvloop and asyncio watch those each in
        # its way, and as process 1 we look after orphans beside them.
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
                    given = None  # it goes on with what it has
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
        """Return what to add to a failure of a version that is not known to read our rules."""
        said = self._version()
        number = version(said)
        if number is not None and number >= OLDEST:
            return ""
        needed = ".".join(map(str, OLDEST))
        return f" (nft --version says: {said}; {needed} or newer is needed)"


async def _hear(made: Made, begun: asyncio.Future[int]) -> None:
    await made.by_process(await begun)


def _passed_over(ended: asyncio.Future[str]) -> None:
    """The rules are there, however nft ends."""
    if not ended.cancelled():
        ended.exception()


def crashed(code: int) -> signal.Signals | None:
    """Return the signal that ended a program, or the one a shell (or chroot) around it tells of by
    128 and its number; None where the program ended by itself.
    """
    number = -code if code < 0 else code - 128
    return signal.Signals(number) if number in set(signal.Signals) else None


def version(text: str) -> tuple[int, ...] | None:
    """Read `nftables v1.0.6 (Lester Gooch #5)`."""
    found = re.search(r"\bv(\d+(?:\.\d+)+)", text)
    return tuple(map(int, found[1].split("."))) if found else None


def spoken(output: str) -> str:
    """Return what nft complains of, without the lines it shows of its input (which are long)."""
    errors = [line.partition("Error: ")[2] for line in output.splitlines() if "Error: " in line]
    errors = list(dict.fromkeys(errors)) or output.splitlines()[:1] or ["failed without a word"]
    more = f" (and {len(errors) - _MOST_ERRORS} more)" if len(errors) > _MOST_ERRORS else ""
    return "; ".join(errors[:_MOST_ERRORS]) + more


def parse_table(text: str) -> Found:
    """Read what `nft -t list table` prints."""
    comment = re.search(r'^\tcomment "(.*)"$', text, re.MULTILINE)
    chains = re.findall(r"^\tchain (\S+) \{$", text, re.MULTILINE)
    return Found(comment[1] if comment else "", tuple(chains))


def parse_counters(text: str) -> dict[str, dict[int, Counter]]:
    """Read what `nft list set` prints of sets of ports, one after the other."""
    found: dict[str, dict[int, Counter]] = {}
    for part in text.split("\tset ")[1:]:
        name, _, rest = part.partition(" ")
        found[name] = {
            int(port): (int(packets), int(size)) for port, packets, size in _COUNTER.findall(rest)
        }
    return found


def parse_places(text: str) -> set[tuple[str, int, int]]:
    """Read what `nft list set` prints of a set of an address and two ports."""
    found = _PLACE.findall(text.partition("elements = {")[2])
    return {(address, int(one), int(other)) for address, one, other in found}
