"""Process 1 of the image, before a program that does as it is told."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ambassador import supervisor
from tests.wait import until

PYTHON = os.path.realpath(sys.executable)
BEFORE = ("env", "--block-signal", PYTHON, "-I", "-S", supervisor.__file__)
PROGRAM = """
import os, signal, socket, sys
here = sys.argv[1]
names = {int(one): one.name for one in signal.Signals}
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
    signal.signal(number, lambda number, _: heard.append(names[number]))
heard = []
signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGHUP, signal.SIGINT))
def say(*words):
    with open(here, "a") as file:
        print(*words, file=file)
def tell(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(text, os.environ["NOTIFY_SOCKET"].replace("@", "\\0"))
tell(b"READY=1")
say("up", os.getpid(), os.environ.get("KILLED_BY", "-"))
while True:
    signal.pause()
    while heard:
        word = heard.pop(0)
        say(word)
        if word == "SIGTERM":
            sys.exit(int(sys.argv[2]))
"""


class Supervised:
    """A supervisor, and what its program has said."""

    def __init__(self, place: Path, before: tuple[str, ...] = (), code: int = 0) -> None:
        self._place = place
        command = (*before, *BEFORE, PYTHON, "-S", "-c", PROGRAM, str(place), str(code))
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    @property
    def lines(self) -> list[list[str]]:
        return [one.split() for one in self._place.read_text().splitlines()]

    def started(self, times: int = 1) -> int:
        """Return the number of the process that was started last, once so many were."""

        def found() -> list[list[str]]:
            lines = [one for one in self.lines if one[0] == "up"] if self._place.exists() else []
            return lines if len(lines) >= times else []

        return int(until(found, 10)[-1][1])


@pytest.fixture
def supervised(tmp_path, monkeypatch):
    started = []

    def start(*before, **options):
        started.append(Supervised(tmp_path / f"said{len(started)}", before, **options))
        return started[-1]

    yield start
    for one in started:
        one.process.send_signal(signal.SIGTERM)
        one.process.wait(10)


def test_each_signal_is_passed_on_and_the_exit_code_is_that_of_the_program(supervised):
    one = supervised(code=7)
    one.started()
    for count, name in enumerate(("SIGHUP", "SIGUSR2", "SIGINT"), start=2):
        one.process.send_signal(getattr(signal, name))
        until(lambda: len(one.lines) == count)  # noqa: B023 (it is called here)
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(10) == 7
    assert [words[0] for words in one.lines] == ["up", "SIGHUP", "SIGUSR2", "SIGINT", "SIGTERM"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, 137), (signal.SIGTERM, 0)])
def test_one_that_ends_before_it_has_begun_is_not_started_again(tmp_path, number, code):
    command = (*BEFORE, "sh", "-c", f"kill -{int(number)} $$")
    assert subprocess.run(command, check=False, timeout=10).returncode == code


@pytest.mark.parametrize("code", [0, 1, 2])
def test_one_that_ends_by_itself_is_not_started_again(code):
    command = (*BEFORE, "sh", "-c", f"exit {code}")
    assert subprocess.run(command, check=False, timeout=10).returncode == code


def test_what_another_process_says_is_not_heard(tmp_path):
    """A child of the program says that it is ready, and then it is killed."""
    child = (
        "import os, socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); "
        "s.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'].replace('@', chr(0)))"
    )
    command = (*BEFORE, "sh", "-c", f'{PYTHON} -S -c "{child}" && kill -9 $$')
    assert subprocess.run(command, check=False, timeout=10).returncode == 137


def test_what_is_not_there_is_said():
    done = subprocess.run((*BEFORE, "/nowhere"), check=False, timeout=10, capture_output=True)
    assert (done.returncode, done.stderr) == (127, b"/nowhere: No such file or directory\n")
    done = subprocess.run(BEFORE, check=False, timeout=10, capture_output=True)
    assert (done.returncode, b"usage: " in done.stderr) == (2, True)


def test_one_that_is_killed_is_started_again_after_pauses_that_grow(supervised):
    one = supervised()
    pid = one.started()
    pauses = []
    for count in range(2, 5):
        os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        pid = one.started(count)
        pauses.append(time.monotonic() - began)
    assert [one >= 0.1 * 2**place for place, one in enumerate(pauses)] == [True] * 3
    assert [words[2] for words in one.lines] == ["-", "9", "9", "9"]
    os.kill(pid, signal.SIGSEGV)
    one.started(5)
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(10) == 0
    assert [words[-1] for words in one.lines[-2:]] == ["11", "SIGTERM"]


def test_one_that_was_asked_to_end_and_is_killed_is_not_started_again(supervised):
    one = supervised()
    pid = one.started()
    one.process.send_signal(signal.SIGINT)
    until(lambda: one.lines[-1] == ["SIGINT"])
    os.kill(pid, signal.SIGKILL)
    assert one.process.wait(10) == 137


def test_a_signal_that_ends_it_was_asked_for_where_it_came_through_us(supervised):
    one = supervised()
    one.started()
    one.process.send_signal(signal.SIGUSR1)
    assert one.process.wait(10) == 128 + signal.SIGUSR1


def test_asked_to_end_between_two_starts_it_ends_at_once(supervised):
    one = supervised()
    pid = one.started()
    for count in range(2, 5):  # the next pause is 0.8 s
        os.kill(pid, signal.SIGKILL)
        pid = one.started(count)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{pid}").exists())
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(0.5) == 0


def test_what_is_typed_at_a_terminal_reaches_the_program_once(tmp_path):
    place = tmp_path / "said"
    pid, terminal = pty.fork()
    if not pid:
        os.execvp(BEFORE[0], (*BEFORE, PYTHON, "-S", "-c", PROGRAM, str(place), "0"))
    try:
        until(lambda: place.exists() and place.read_text().startswith("up"), 10)
        os.write(terminal, b"\x03")
        until(lambda: "SIGINT" in place.read_text(), 10)
        os.kill(pid, signal.SIGTERM)
        assert os.waitpid(pid, 0)[1] == 0
        assert place.read_text().split("\n")[1:] == ["SIGINT", "SIGTERM", ""]
    finally:
        os.close(terminal)


@pytest.mark.root
def test_as_process_1_it_reaps_orphans_and_no_early_signal_is_lost(tmp_path):
    namespace = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    script = "(sleep 0.05 & exec true); sleep 0.2; cat /proc/[0-9]*/stat"
    done = subprocess.run(
        (*namespace, *BEFORE, "sh", "-c", script), check=True, timeout=10, capture_output=True
    )
    assert b"(sleep)" not in done.stdout
    with subprocess.Popen((*namespace, *BEFORE, "sleep", "10")) as process:
        inside = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        pid = int(until(inside.read_text))
        until(lambda: b"sleep" not in Path(f"/proc/{pid}/comm").read_bytes())
        command = Path(f"/proc/{pid}/cmdline")
        until(lambda: command.read_bytes().startswith(PYTHON.encode()))
        os.kill(pid, signal.SIGTERM)
        assert process.wait(5) == 0
