"""The demonstration of a fleet, told to its end in a process of its own."""

import subprocess
import sys

import pytest

from ambassador.demo.fleet import find_etcd
from ambassador.errors import RunError
from tests.program import clean_environ


def test_the_story_is_told_and_no_consumer_sees_an_error():
    done = subprocess.run(
        (sys.executable, "-m", "ambassador", "demo", "fleet", "--seconds", "1"),
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
        env=clean_environ(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 of them follow redis, each with a consumer" in done.stdout
    assert "at 10 ambassadors, in" in done.stdout
    assert "by B, no error" in done.stdout


def test_without_an_etcd_what_to_install_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RunError, match="apt-get install etcd-server"):
        find_etcd()
