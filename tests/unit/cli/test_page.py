import re
import signal
import socket
import stat
import subprocess
import urllib.request
from pathlib import Path

import pytest

from ambassador.cli.verbs import invoke
from tests.program import COMMAND, clean_environ
from tests.wait import until


@pytest.fixture
def page(running):
    """Run `ambassador page ARGUMENTS`; it is gone in the end."""
    pages = []

    def start(*arguments, **environ):
        pages.append(
            subprocess.Popen(
                [*COMMAND, "page", "--admin", str(running.admin), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=clean_environ(**environ),
            )
        )
        return pages[-1], pages[-1].stdout.readline().strip()

    yield start
    for one in pages:
        one.kill()
        one.wait()
        one.stdout.close()


def test_it_prints_a_link_that_leads_to_the_page(page):
    process, link = page("--no-browser")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{32}", link)
    with urllib.request.urlopen(link, timeout=10) as answer:
        assert b"<title>Ambassador</title>" in answer.read()
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130


def test_the_browser_is_opened_without_the_link_in_its_arguments(page, tmp_path):
    browser, seen = tmp_path / "browser", tmp_path / "seen"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}.new; mv {seen}.new {seen}\n')
    browser.chmod(0o755)
    process, link = page(DISPLAY=":0", BROWSER=str(browser))
    until(seen.exists, 10)
    opened = seen.read_text()
    assert opened.startswith("file:///")
    file = Path(opened.removeprefix("file://"))
    text = file.read_text()
    assert re.search(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{32}", text)
    assert link not in text  # that one is still good
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    process.terminate()
    assert process.wait(10) == 0
    assert not file.parent.exists()


def test_a_port_that_is_taken_is_1_and_no_ambassador_is_7(running, tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert invoke(["page", "--admin", str(running.admin), "--port", port]) == 1
    assert "without --port a free one is taken" in capsys.readouterr().err
    assert invoke(["page", "--admin", str(tmp_path / "none.sock")]) == 7
