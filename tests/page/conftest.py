"""One browser for the tests of a file, an ambassador, and the page of an operator's own process."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.page.browser import Browser
from tests.program import COMMAND, Program, clean_environ, is_ready
from tests.wait import until


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """Give it as a laptop has it; nothing may have been complained about in the end."""
    chromium.shape(1280, 860)
    chromium.open("about:blank")
    chromium.complaints()
    yield chromium
    assert chromium.complaints() == []


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Start an ambassador with assignments and variables; return its admin socket."""
    programs: list[Program] = []

    def starting(*assignments: str, **environ: str) -> Path:
        admin = tmp_path / f"{len(programs)}.sock"
        where = environ.setdefault("AMBASSADOR_ADMIN", str(admin))
        programs.append(Program(*assignments, AMBASSADOR_GRACE="0", **environ))
        until(lambda: is_ready(Path(where)), 90)  # 3,000 routes, beside other tests
        starting.programs = programs
        return Path(where)

    yield starting
    for program in programs:
        with program:
            pass


@pytest.fixture
def link() -> Iterator[Callable[[Path], str]]:
    """Run `ambassador page` for an admin socket; return the link it prints."""
    pages: list[subprocess.Popen[str]] = []

    def linked(admin: Path) -> str:
        page = subprocess.Popen(
            [*COMMAND, "page", "--admin", str(admin), "--no-browser"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=clean_environ(),
        )
        pages.append(page)
        assert page.stdout is not None
        return page.stdout.readline().strip()

    yield linked
    for page in pages:
        page.kill()
        page.wait()
        assert page.stdout is not None
        page.stdout.close()
