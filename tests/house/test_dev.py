"""./dev on machines that lack something, and what tests/conftest.py promises about skips."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        path = f"{commands}:{os.environ['PATH']}"
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


def inner_pytest(tmp_path: Path, code: str, **env: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_inner.py").write_text(code)
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"),
            *("-c", ROOT / "pyproject.toml", tmp_path / "test_inner.py"),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        cwd=ROOT,
        env={**os.environ, "CI": "", **env},
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
