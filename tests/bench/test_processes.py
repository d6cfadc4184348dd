import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bench.bed import Bed
from bench.errors import Missing
from bench.isolate import how
from bench.peers import PEERS
from bench.peers.peer import Limits
from bench.processes import Process, cpu_seconds, pss_kib, tree, until_still
from tests.wait import until


@pytest.fixture
def started(tmp_path):
    """Start a Python that runs `code`; ended after the test."""
    made = []

    def start(code: str) -> Process:
        made.append(Process([sys.executable, "-c", code], tmp_path / f"{len(made)}.log"))
        return made[-1]

    start.folder = tmp_path
    yield start
    for process in made:
        process.end()


FORK_AND_STAY = "import os, time; os.fork() or os.fork(); time.sleep(60)"


def test_a_tree_is_a_process_and_all_below_it(started):
    process = started(FORK_AND_STAY)
    until(lambda: len(tree(process.pid)) == 3)


def test_the_end_of_a_process_is_the_end_of_its_forks(started):
    process = started(
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FORK_AND_STAY
    )
    until(lambda: len(tree(process.pid)) == 3)
    pids = tree(process.pid)
    process.end()
    until(lambda: not any(alive(pid) for pid in pids))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_program_is_waited_for_until_it_has_come_to_rest(started):
    process = started("import time\nend = time.process_time() + 0.3\n"
                      "while time.process_time() < end: pass\ntime.sleep(60)")  # fmt: skip
    until(lambda: cpu_seconds([process.pid]) >= 0.05)  # a busy machine lets it begin late
    until_still(lambda: [process.pid], within=20)
    assert cpu_seconds([process.pid]) >= 0.25  # counted in ticks


def test_a_program_that_never_rests_is_not_waited_for_for_ever(started):
    process = started("while True: pass")
    until_still(lambda: [process.pid], within=0.3)
    assert not process.ended


def test_processor_time_of_children_that_ended_counts(started):
    burn = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    process = started(
        f"import os, time\nif not os.fork():\n exec({burn!r}); os._exit(0)\n"
        "os.wait(); time.sleep(60)"
    )
    until(lambda: cpu_seconds([process.pid]) >= 0.2)


def test_nothing_is_counted_of_who_is_gone(started):
    process = started("pass")
    until(lambda: process.ended)
    process.end()
    assert cpu_seconds([process.pid]) == 0
    assert pss_kib([process.pid]) == 0


def test_memory_is_seen(started):
    process = started(
        "kept = b'x' * (50 << 20); print('ready', flush=True)\nimport time; time.sleep(60)"
    )
    until(lambda: (started.folder / "0.log").read_text() == "ready\n")
    assert 50 << 10 < pss_kib([process.pid]) < 100 << 10


def test_last_words_are_the_reason(started):
    process = started(
        "print('starting'); print('error: no luck'); print('bye'); raise SystemExit(1)"
    )
    until(lambda: process.ended)
    assert process.last_words() == "error: no luck"


def test_no_setting_of_the_caller_leaks_in(started, monkeypatch):
    monkeypatch.setenv("AMBASSADOR_LOG", "json")
    process = started("import os; print(*os.environ)")
    until(lambda: process.ended)
    assert "AMBASSADOR_LOG" not in process.last_words().split()


def test_a_port_that_is_taken_is_said(tmp_path):
    bed = Bed(PEERS["direct"], "shared", tmp_path, Limits(), number=77, isolated=False)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("0.0.0.0", 6379 + 15000 + 20 * 77))
        other.listen()
        with pytest.raises(Missing, match="port 22919 is taken: Address already in use"):
            bed.start()
        bed.end()


@pytest.mark.parametrize(("peer", "topology"), [("relay", "three"), ("kernel", "shared")])
def test_what_needs_a_namespace_says_so_where_there_is_none(peer, topology, tmp_path):
    bed = Bed(PEERS[peer], topology, tmp_path, Limits(), number=78, isolated=False)
    with pytest.raises(Missing, match="needs a network namespace"):
        bed.start()


def test_a_machine_without_namespaces_is_told_so(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    level, lacks = how()
    assert level == "none"
    assert "only the shared topology" in lacks


def test_a_machine_where_root_may_not_make_them(monkeypatch, tmp_path):
    for name in ("unshare", "ip"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert how()[0] == "none"


def test_without_root_it_takes_a_user_namespace(monkeypatch, tmp_path):
    for name in ("unshare", "ip"):
        (tmp_path / name).write_text("#!/bin/sh\nexec true\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert how()[0] == "user"


def test_the_kernel_ends_what_was_started_without_a_namespace(tmp_path):
    code = (
        "from pathlib import Path; from bench.processes import Process; import time\n"
        f"p = Process(['sleep', '60'], Path({str(tmp_path / 'log')!r}))\n"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        pid = int(owner.stdout.readline())
        # setpriv has asked the kernel once it has become what it was to start
        until(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
        owner.send_signal(signal.SIGKILL)
    until(lambda: not alive(pid))
