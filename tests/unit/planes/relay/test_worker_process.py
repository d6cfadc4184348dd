"""A process that this one has started, and one that it has found."""

import os
import signal
import subprocess
import sys

import pytest

from ambassador.planes.relay.worker_process import FoundProcess, OwnProcess


@pytest.fixture
def started():
    """A process that waits for a line."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("kind", [OwnProcess, FoundProcess])
def test_one_that_runs_is_waited_for_and_ended(started, kind):
    process = kind(started.pid)
    assert process.poll() is None
    with pytest.raises(TimeoutError):
        process.wait(0.01)
    process.kill()
    assert process.wait(10) == (-signal.SIGKILL if kind is OwnProcess else 0)
    assert process.poll() == process.wait()
    process.kill()  # nothing: its number may be another's by now


def test_its_exit_code_may_have_been_read_by_another(started):
    process = OwnProcess(started.pid)
    process.kill()
    os.waitpid(started.pid, 0)
    assert process.wait(10) == 0


def test_one_that_is_gone_is_not_found(started):
    started.kill()
    started.wait(10)
    with pytest.raises(ProcessLookupError):
        FoundProcess(started.pid)
