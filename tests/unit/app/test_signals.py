"""What the process hears."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ
from tests.wait import until


@pytest.mark.root
def test_as_process_1_it_takes_leave_of_orphans_and_hears_signals():
    arguments = [*COMMAND, "run", f"A_PORT_{free_port()}_TCP=tcp://127.0.0.1:1"]
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *arguments]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=clean_environ(AMBASSADOR_ADMIN="off")
    ) as outside:
        try:
            assert "plane relay" in outside.stderr.readline()
            (first,) = children(outside.pid)
            inside = ["nsenter", "--pid", "--target", str(first)]
            script = "exec 3<&0; (exec cat <&3) & exit"
            with subprocess.Popen([*inside, "sh", "-c", script], stdin=subprocess.PIPE) as shell:
                until(lambda: len(children(first)) == 1, what="the orphan is adopted")
                shell.stdin.close()  # it reads to the end, and is over
            until(lambda: children(first) == [], what="no process and no zombie is left")
            os.kill(first, signal.SIGTERM)
            assert outside.wait(10) == 0
        finally:
            outside.kill()


def children(pid: int) -> list[int]:
    return [int(number) for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_sighup_without_a_change_is_a_reload_of_nothing():
    with Program(f"A_PORT_{free_port()}_TCP=tcp://127.0.0.1:1") as program:
        program.started()
        program.send(signal.SIGHUP)
        assert program.wait_for("reloaded") == "reloaded: 0 changes"
        assert program.stop() == 0
