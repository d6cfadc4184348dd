"""The bench itself, in little: it measures, and leaves nothing, however it ends."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.processes import tree
from tests.wait import until

ROOT = Path(__file__).parents[2]
TOOLS = ("redis-server", "redis-benchmark", "socat")
MISSING = [name for name in TOOLS if not shutil.which(name)]
TINY = ("--rounds", "1", "--seconds", "0.05")


@pytest.fixture(params=[pytest.param("root", marks=pytest.mark.root), "none"])
def bench(request, tmp_path):
    """Start the bench with arguments; with namespaces, or on a machine that has none."""
    if MISSING:
        pytest.skip(f"needs {', '.join(MISSING)}: ./dev test")
    path = os.environ["PATH"]
    if request.param == "none":
        path = str(tmp_path / "bin")
        Path(path).mkdir()
        for name in (*TOOLS, "setpriv"):
            if found := shutil.which(name):
                (Path(path) / name).symlink_to(found)
    begun = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        with (tmp_path / "output").open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "bench", *TINY, *arguments, "--into", str(tmp_path)],
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=ROOT,
                env={"PATH": path, "HOME": str(tmp_path), "AMBASSADOR_BENCH_CACHE": str(tmp_path)},
            )
        begun.append(process)
        return process

    start.folder = tmp_path
    start.output = (tmp_path / "output").read_text
    yield start
    for process in begun:
        process.kill()
        process.wait()


@pytest.mark.alone
def test_it_measures_direct_socat_and_the_relay(bench):
    process = bench("--only", "shared,first,get1,get50short,direct,socat,relay")
    assert process.wait(30) == 0, bench.output()
    run = json.loads((bench.folder / "benchmarks.json").read_text())
    assert run["ended"]
    by_load = {}
    for sample in run["samples"]:
        assert "missing" not in sample
        by_load.setdefault(sample["load"], []).append(sample["peer"])
        if sample["load"] != "first":
            assert sample["values"]["rate"] > 100
        else:
            assert 0 < sample["values"]["p50_ms"] <= sample["values"]["p99_ms"]
    assert by_load["get1"] == ["direct", "socat", "relay"]
    assert sorted(by_load["get50short"]) == sorted(by_load["get1"] * 3)
    assert sorted(by_load["first"]) == sorted(["socat", "relay"] * 2)
    text = (bench.folder / "benchmarks.md").read_text()
    assert "| our relay |" in text
    assert (bench.folder / "benchmarks" / "get.svg").exists()


@pytest.mark.alone
def test_it_measures_what_counting_costs_or_says_why_not(bench):
    # Long enough for the least of many pieces: in one or two alone, others' work may be larger.
    process = bench("--only", "counting,kernel", "--seconds", "1")
    assert process.wait(60) == 0, bench.output()
    samples = json.loads((bench.folder / "benchmarks.json").read_text())["samples"]
    by_topology = {sample["topology"]: sample for sample in samples}
    if (bench.folder / "bin").exists():  # no namespaces
        assert "nft is not installed" in by_topology["shared"]["missing"]
        return
    if not shutil.which("nft"):
        pytest.skip("needs nft: ./dev test")
    for sample in by_topology.values():
        values = sample["values"]
        assert values["direct_us"] < values["translated_us"] < values["whole_us"]
    assert set(by_topology) == {"shared", "three"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_nothing_and_can_be_gone_on_with(bench, number):
    arguments = ("--only", "shared,get50,get50p16,get1,direct,socat,relay")
    process = bench(*arguments)
    until(lambda: " socat " in bench.output(), 20, "the first measurements")
    pids = set(tree(process.pid)) - {process.pid}
    assert len(pids) >= 3  # the run inside, a Redis, a peer
    process.send_signal(number)
    process.wait(20)
    until(lambda: not any(runs(pid) for pid in pids), 5, "the end of all that was started")
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number
        assert "The same command goes on from here" in bench.output()
    assert bench(*arguments).wait(30) == 0, bench.output()
    assert "goes on with the run of" in bench.output()
    run = json.loads((bench.folder / "benchmarks.json").read_text())
    keys = [(sample["load"], sample["peer"]) for sample in run["samples"]]
    assert len(keys) == len(set(keys)) == 9


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


SMALL_MACHINE = """
import os, resource, runpy
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
runpy.run_module("bench", run_name="__main__")
"""


@pytest.mark.root
def test_a_small_machine_is_told_what_it_lacks_and_measures_the_rest(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-c", SMALL_MACHINE, *TINY, "--into", str(tmp_path)),
            *("--only", "shared,direct,get1,sessions9000"),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        cwd=ROOT,
        env={**os.environ, "AMBASSADOR_BENCH_CACHE": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert "bench: one core only" in done.stdout
    assert "bench: 4096 open files a process" in done.stdout
    text = (tmp_path / "benchmarks.md").read_text()
    assert "- one core only" in text
    assert "- direct: needs 18500 open files in a process, 4096 are allowed" in text
    measured = json.loads((tmp_path / "benchmarks.json").read_text())["samples"]
    assert [sample["load"] for sample in measured if sample["values"]] == ["get1"]


def test_an_unknown_part_is_one_line():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "gets"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("bench: --only gets: there is no such part")
    assert done.stderr.count("\n") == 1


def test_a_comparison_with_nothing_is_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--compare", "nosuch"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "AMBASSADOR_BENCH_CACHE": str(tmp_path)},
    )
    assert done.returncode == 2
    assert done.stderr == f"bench: {tmp_path}/latest.json: No such file or directory\n"
