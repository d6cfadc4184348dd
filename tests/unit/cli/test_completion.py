"""Completion as it works in a shell, not as it is meant to."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.program import clean_environ
from tests.terminal import Terminal

PATH = f"{Path(sys.executable).parent}:/usr/bin:/bin"


@pytest.fixture
def bash(tmp_path):
    """An interactive bash on a terminal that has completion set up as the help says."""
    rc = tmp_path / "rc"
    rc.write_text('PS1="$ "\nbind "set bell-style none"\neval "$(ambassador completion bash)"\n')
    command = ["bash", "--noprofile", "--rcfile", str(rc), "-i"]
    env = clean_environ(PATH=PATH, TERM="dumb", HISTFILE="", INPUTRC="/dev/null")
    with Terminal(command, env) as terminal:
        terminal.read_until(lambda seen: seen.endswith("$ "))
        yield terminal


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("ambassador che\t", "ambassador check "),
        ("ambassador run --gr\t", "ambassador run --grace "),
        ("ambassador run --log j\t", "ambassador run --log json "),
        ("ambassador completion f\t", "ambassador completion fish "),
    ],
)
def test_bash_completes_verbs_flags_and_words(bash, typed, completed):
    bash.type(typed)
    seen = bash.read_until(lambda seen: completed in seen)
    assert seen.endswith(completed)


def test_bash_shows_all_verbs(bash):
    bash.type("ambassador \t\t")
    words = ("run", "check", "status", "healthcheck", "demo", "completion")
    bash.read_until(lambda seen: all(word in seen.split() for word in words))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script_that_asks_ambassador(ambassador, shell):
    done = ambassador("completion", shell)
    assert done.returncode == 0
    assert f"_AMBASSADOR_COMPLETE={shell}_complete" in done.stdout
    assert done.stderr == "" or not shutil.which("bash")


def test_words_for_a_shell_that_asks(ambassador):
    asking = {"COMP_WORDS": "ambassador run --loo", "COMP_CWORD": "2"}
    done = ambassador(_AMBASSADOR_COMPLETE="bash_complete", **asking)
    assert (done.returncode, done.stdout) == (0, "plain,--loop\n")


def test_another_shell_is_wrong_usage(ambassador):
    assert ambassador("completion", "csh").returncode == 2
