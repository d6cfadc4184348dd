"""`main`: how the process ends when it is interrupted, or when nobody listens."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.program import COMMAND, clean_environ, is_ready, unmeasured
from tests.wait import until

MANY = [f"R{port}_PORT_{port}_TCP=tcp://127.0.0.1:1" for port in range(1000, 1300)]


@pytest.mark.parametrize(
    "arguments", [["check", MANY[0]], ["check", *MANY], ["check", "--json", *MANY]]
)
def test_a_reader_that_leaves_early_is_no_failure(arguments):
    read, write = os.pipe()
    os.close(read)  # nobody will ever read, as after `head -0`
    try:
        done = subprocess.run(
            [*COMMAND, *arguments],
            check=False,
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            timeout=20,
            env=clean_environ(),
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def at_its_imports(tmp_path, number):
    """Send a signal while `ambassador` is importing its verbs; return how it ended."""
    (tmp_path / "click.py").write_text(
        "print('importing', flush=True)\nimport time\ntime.sleep(20)\n"
    )
    with subprocess.Popen(
        [*COMMAND, "run"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environ(PYTHONPATH=str(tmp_path)),
    ) as process:
        assert process.stdout.readline() == "importing\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=10)
    return process.returncode, err


def test_asked_to_stop_while_it_starts_it_stops_at_once(tmp_path):
    assert at_its_imports(tmp_path, signal.SIGTERM) == (0, "")


def test_interrupted_while_it_starts_it_says_nothing(tmp_path):
    assert at_its_imports(tmp_path, signal.SIGINT) == (130, "")


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_no_socket_gets_the_number_of_a_stream_that_was_closed(tmp_path, closed):
    admin = tmp_path / "admin.sock"
    command = [
        *COMMAND,
        "run",
        "--admin",
        str(admin),
        f"A_PORT_{free_port()}_TCP=tcp://127.0.0.1:1",
    ]
    script = f'exec "$@" {closed}'
    with subprocess.Popen(["sh", "-c", script, "sh", *command], env=clean_environ()) as process:
        try:
            until(lambda: is_ready(admin))
            streams = [Path(f"/proc/{process.pid}/fd/{fd}").readlink() for fd in range(3)]
            assert [stream for stream in streams if "socket:" in str(stream)] == []
        finally:
            process.terminate()
        assert process.wait(10) == 0


def test_a_verb_that_only_answers_loads_neither_the_log_nor_the_program():
    """10 ms of 65 each time that a shell or a script asks for the version."""
    script = (
        "import sys; from ambassador.cli.verbs import invoke; invoke(['--version']);"
        "print([name for name in ('logging', 'json', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=unmeasured(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("\n[]\n")
