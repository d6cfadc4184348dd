"""`main`: how the process ends when it is interrupted, or when nobody listens."""

import os
import signal
import subprocess

import pytest

from tests.program import COMMAND, clean_environ

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
