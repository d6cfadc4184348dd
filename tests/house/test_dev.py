"""./dev on machines that lack something, and what tests/conftest.py promises about skips."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from xdist.remote import Producer

from tests.side_by_side import ByFile

ROOT = Path(__file__).parents[2]


def dev(*arguments: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["./dev", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        cwd=cwd,
        env={**os.environ, **env},
    )


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="needs shellcheck: ./dev test as root")
@pytest.mark.parametrize("script", ["dev", ".ci/run"])
def test_the_shell_scripts_are_clean(script):
    done = subprocess.run(
        ["shellcheck", ROOT / script], check=False, capture_output=True, text=True
    )
    assert done.stdout == ""
    assert done.returncode == 0


def test_help_shows_every_verb():
    done = dev("help")
    assert done.returncode == 0
    assert all(f"\n  {verb}" in done.stdout for verb in ("demo", "test", "lint", "help"))


def test_an_unknown_verb_is_wrong_usage():
    done = dev("tset")
    assert done.returncode == 2
    assert "there is no verb 'tset'" in done.stderr


@pytest.fixture
def elsewhere(tmp_path):
    """A checkout without an environment, on a machine whose commands `put` can replace."""
    shutil.copy(ROOT / "dev", tmp_path)
    commands = tmp_path / "commands"
    commands.mkdir()

    def put(name: str, script: str) -> None:
        (commands / name).write_text(f"#!/bin/sh\n{script}\n")
        (commands / name).chmod(0o755)

    put("id", "echo 1000")
    put("sudo", "exit 1")

    def run(*arguments: str, only: bool = False) -> subprocess.CompletedProcess[str]:
        path = str(commands) if only else f"{commands}:{os.environ['PATH']}"
        return dev(*arguments, cwd=tmp_path, PATH=path, PYTHON="")

    run.put = put
    return run


PYTHONS = ("python3.13", "python3.12", "python3.11", "python3")


def test_an_old_python_is_named_with_what_to_do(elsewhere):
    for name in PYTHONS:
        elsewhere.put(name, 'if [ "$1" = --version ]; then echo Python 3.9.2; else exit 1; fi')
    done = elsewhere("demo")
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed, found: Python 3.9.2." in done.stderr
    assert "PYTHON=/path/to/python3 ./dev" in done.stderr


def test_without_any_python_it_installs_that_of_debian(elsewhere, tmp_path):
    for name in ("bash", "sh", "dirname", "readlink", "mkdir", "tail"):
        (tmp_path / "commands" / name).symlink_to(shutil.which(name))
    elsewhere.put("sudo", f'echo "$*" >> {tmp_path}/as-root')
    elsewhere.put("apt-get", "")
    elsewhere.put("apt-cache", "")
    done = elsewhere("demo", only=True)
    assert "\npython3          ... " in f"\n{done.stdout}"
    install = (tmp_path / "as-root").read_text().split("apt-get install", 1)[1]
    assert install.splitlines()[0].endswith(" python3 python3-venv")
    assert "found: no python3" in done.stderr  # since nothing was installed


def test_without_the_venv_module_it_says_which_package_to_install(elsewhere):
    for name in PYTHONS:
        elsewhere.put(name, f'case "$*" in *ensurepip*) exit 1 ;; esac; exec {sys.executable} "$@"')
    done = elsewhere("demo")
    assert done.returncode == 1
    package = f"python3.{sys.version_info.minor}-venv"
    assert f"sudo apt-get install {package}" in done.stderr


def test_what_is_missing_and_what_root_would_add_is_said(elsewhere):
    for name in PYTHONS:
        elsewhere.put(name, "exit 1")
    done = elsewhere("test")
    assert "sudo ./dev test" in done.stdout
    assert "30 minutes" in done.stdout
    assert "30 minutes" not in elsewhere("test", "tests/house").stdout  # only some of them


def test_what_is_installed_and_how_long_it_takes_is_said_before(elsewhere, tmp_path):
    script = (tmp_path / "dev").read_text()
    lacking = script.replace("redis-server:redis-server", '"no-such-tool:new-package|old-package"')
    (tmp_path / "dev").write_text(lacking)
    for name in PYTHONS:
        elsewhere.put(name, "exit 1")
    elsewhere.put("sudo", '[ "$*" = "-n true" ]')  # and nothing else
    elsewhere.put("apt-get", "exit 1")
    before, _, after = elsewhere("test").stdout.partition("packages         ...")
    assert "failed" in after
    assert "30 minutes" in before
    assert ".venv" in before
    assert "new-package or old-package" in before


def test_a_failed_step_shows_the_end_of_its_log_and_where_the_rest_is(elsewhere, tmp_path):
    for name in PYTHONS:
        elsewhere.put(name, 'case "$*" in "-m venv"*) echo disk full; exit 3 ;; esac')
    done = elsewhere("demo")
    assert done.returncode == 1
    assert "disk full" in done.stderr
    assert str(tmp_path / ".cache/dev.log") in done.stderr


@pytest.fixture
def passes(elsewhere, tmp_path):
    """`./dev test` where all is installed and clean, and pytest ends with these exit codes."""
    binaries = tmp_path / ".venv/bin"
    binaries.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("")
    stamp = subprocess.run(["cksum"], check=True, capture_output=True, text=True, input="")
    (tmp_path / ".venv/installed-test,demo").write_text(stamp.stdout)

    def run(
        side_by_side: int, alone: int, *arguments: str, failed: int = 0, again: int = 0
    ) -> subprocess.CompletedProcess[str]:
        python = f"""#!/bin/sh
case "$*" in
  *lastfailed*) echo {failed} ;;
  *"pytest -m not alone"*) echo "side by side: $*"; exit {side_by_side} ;;
  *"pytest -m alone"*) echo "alone: $*"; exit {alone} ;;
  *"pytest --last-failed"*) echo "again: $*"; exit {again} ;;
  *pytest*) echo "plain: $*"; exit {alone} ;;
esac
"""
        for name, script in (("python", python), ("ruff", "#!/bin/sh"), ("mypy", "#!/bin/sh")):
            (binaries / name).write_text(script)
            (binaries / name).chmod(0o755)
        return elsewhere("test", *arguments)

    return run


@pytest.mark.parametrize(
    ("side_by_side", "alone", "failed"),
    [(1, 0, 0), (0, 1, 0), (1, 1, 9), (2, 0, 1), (0, 2, 1), (3, 1, 1), (0, 5, 1)],
)
def test_what_is_more_than_a_few_failed_tests_is_a_failure_at_once(
    passes, side_by_side, alone, failed
):
    done = passes(side_by_side, alone, failed=failed)
    assert done.returncode == 1
    assert "\nside by side: " in done.stdout
    assert "\nalone: " in done.stdout
    assert "\nagain: " not in done.stdout
    assert "tests failed; which and why is said above" in done.stderr


@pytest.mark.parametrize(("side_by_side", "alone"), [(1, 0), (0, 1), (1, 1)])
def test_a_few_failed_tests_run_once_more_and_what_fails_twice_has_failed(
    passes, side_by_side, alone
):
    good = passes(side_by_side, alone, failed=8)
    assert good.returncode == 0
    assert "\nagain: " in good.stdout
    assert "8 failed" in good.stdout
    bad = passes(side_by_side, alone, failed=1, again=1)
    assert bad.returncode == 1
    assert "1 failed" in bad.stdout
    assert "failed twice" in bad.stderr


def test_where_nothing_failed_nothing_runs_again(passes):
    done = passes(0, 0)
    assert done.returncode == 0
    assert "\nagain: " not in done.stdout


def test_an_interrupted_first_pass_is_followed_by_none(passes, tmp_path):
    assert passes(0, 0).returncode == 0
    python = """#!/bin/sh
case "$*" in *"-m pytest"*)
  sleep 30 &
  trap 'kill $!; exit 2' INT  # pytest catches it, too
  echo "begun: $*"
  wait
esac
"""
    (tmp_path / ".venv/bin/python").write_text(python)
    with subprocess.Popen(
        [tmp_path / "dev", "test"], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        for line in process.stdout:
            if line.startswith("begun: "):
                break
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
        rest = process.stdout.read()
    assert process.returncode == 130
    assert "begun" not in rest


def test_only_the_second_pass_judges_the_coverage_of_both(passes):
    first, second = (line for line in passes(0, 0).stdout.splitlines() if " --cov " in line)
    assert "--cov-fail-under=0" in first
    assert "--cov-append" in second
    assert "fail-under" not in second


def test_tests_that_are_named_are_one_plain_run(passes):
    done = passes(0, 4, "tests/house", "-k", "dev")
    assert done.returncode == 4
    assert [line for line in done.stdout.splitlines() if " -m " in line] == [
        "plain: -m pytest tests/house -k dev"
    ]


def inner_pytest(
    tmp_path: Path, code: str, *arguments: str, **env: str
) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_inner.py").write_text(code)
    return pytest_run("-p", "tests.conftest", tmp_path / "test_inner.py", *arguments, **env)


def pytest_run(*arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    plugins = ("pytest_timeout", "pytest_asyncio.plugin", "xdist.plugin")  # nothing that is slow
    settings = (*(f"-p{name}" for name in plugins), "-c", ROOT / "pyproject.toml")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *settings, "-p", "no:cacheprovider", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "CI": "", **env},
    )


SKIPS = (
    "import pytest\n@pytest.mark.skip(reason='no moon')\ndef test_it(): pass",
    "import pytest\npytest.skip('no moon', allow_module_level=True)",
    "import pytest\ndef test_it(): pytest.skip('no moon')",
)


@pytest.mark.parametrize("code", SKIPS)
def test_a_skip_is_a_failure_in_ci_only(tmp_path, code):
    # pytest calls a run in which nothing was collected 5
    assert inner_pytest(tmp_path, code).returncode in (0, 5)
    strict = inner_pytest(tmp_path, code, CI="true")
    assert strict.returncode in (1, 2)
    assert "CI=true allows no skip" in strict.stdout
    assert "no moon" in strict.stdout


def test_side_by_side_a_failure_has_its_name_and_its_reason_and_a_skip_is_one(tmp_path):
    code = """
import pytest
def test_well(record_property): record_property("measured", "three sheep")
def test_wrong(): assert "this" == "that"
def test_left_out(): pytest.skip("no moon")
"""
    done = inner_pytest(tmp_path, code, "--numprocesses=2", CI="true")
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert "::test_wrong - AssertionError" in done.stdout
    assert "'this' == 'that'" in done.stdout
    assert "CI=true allows no skip" in done.stdout
    assert "2 failed, 1 passed" in done.stdout
    assert "measured: three sheep" in done.stdout


def test_side_by_side_a_process_has_files_and_one_has_all_that_need_an_engine():
    config = SimpleNamespace(
        getvalue=lambda name: ["popen"] * 2, option=SimpleNamespace(loadscopereorder=True)
    )
    scheduler = ByFile(config, Producer("test"))
    for node, unit in (
        ("tests/relay/test_reset.py::test_it[uvloop-::1]", "tests/relay/test_reset.py"),
        ("tests/docker/test_page.py::test_it", "tests/docker"),
        ("tests/docker/test_stop.py::test_it", "tests/docker"),
    ):
        assert scheduler._split_scope(node) == unit


@pytest.mark.docker
def test_hosts_that_cannot_be_made_fail_each_test_in_a_line_and_say_why_once():
    page, stop = (f"tests/docker/test_{name}.py" for name in ("page", "stop"))
    done = pytest_run("-n", "2", page, stop, AMBASSADOR_TEST_CACHE="/dev/null/no-folder")
    assert done.returncode == 1
    assert done.stdout.count("not made, the log is where the first test failed") >= 10
    assert done.stdout.count("Traceback") == 1
    assert "CACHE.mkdir" in done.stdout


def test_a_process_left_behind_is_a_failure(tmp_path):
    code = """
import subprocess
def test_it():
    global left
    left = subprocess.Popen(["sleep", "1"])
"""
    done = inner_pytest(tmp_path, code)
    assert done.returncode == 1
    assert "started by a test and still running" in done.stdout
