"""Each example of an error of the command line, typed as it stands, ends that error."""

import re
import shlex

import pytest

R = "REDIS_PORT_6379_TCP"


def examples(text):
    return re.findall(r"^  example:  (.+)$", text, re.MULTILINE)


@pytest.mark.parametrize(
    "arguments", [["redis"], ["6379"], [":6379", "db"], ["db", "0"], [f"{R}=db"], [f"{R}=tcp://db"]]
)
def test_an_example_of_a_wrong_argument_is_an_argument(ambassador, arguments):
    done = ambassador("check", *arguments)
    assert done.returncode == 2
    assert examples(done.stderr)
    for example in examples(done.stderr):
        words = shlex.split(example.removeprefix("ambassador "))
        again = ambassador("check", *words)
        assert again.returncode == 0, f"{example}: {again.stderr}"


@pytest.mark.parametrize(
    "environ",
    [
        {R: "tcp://a:6379", "CACHE_PORT_6379_TCP": "tcp://b:6379"},
        {f"{name}_PORT_6379_TCP": "tcp://a:1" for name in ("A", "B", "C", "D")},
        {"X_PORT_70_TCP": "tcp://localhost:70", "Y_PORT_71_TCP": "tcp://b:1"},
        {"X_PORT_65535_TCP": "tcp://localhost:65535"},
        {R: "tcp://a:1", "C_PORT_53_UDP": "udp://b:1", "D_PORT_53_UDP": "udp://b:1"},
    ],
)
def test_the_examples_of_routes_that_collide_end_it_one_after_the_other(ambassador, environ):
    for _ in range(8):
        done = ambassador("check", **environ)
        if done.returncode == 0:
            return
        first = examples(done.stderr)[0]
        name, _, value = first.partition("=")
        assert environ.get(name) != value, f"{first} gives the same error"
        environ = environ | {name: value}
    pytest.fail(f"never ends: {done.stderr}")


@pytest.mark.parametrize(
    "arguments",
    [
        ["hold", "x", "--timeout", "soon"],
        ["move", "x", "tcp://h:1", "--timeout", "soon"],
        ["drain", "x", "--deadline", "soon"],
        ["healthcheck", "--timeout", "soon"],
        ["check", "--grace", "soon"],
    ],
)
def test_an_example_of_a_wrong_flag_is_typed_with_its_flag(ambassador, arguments):
    done = ambassador(*arguments, AMBASSADOR_ADMIN="/nowhere/admin.sock")
    assert done.returncode == 2
    (example,) = examples(done.stderr)
    flag, value = example.split()
    assert flag == arguments[-2]
    again = ambassador(*arguments[:-1], value, AMBASSADOR_ADMIN="/nowhere/admin.sock")
    assert flag not in again.stderr


def test_an_example_of_a_verb_that_does_not_exist_can_be_typed(ambassador):
    (example,) = examples(ambassador("stat").stderr)
    assert ambassador("check", *example.split()[2:]).returncode == 0
