import json
import socket

import pytest


@pytest.mark.parametrize("scheme", ["", "unix://"])
def test_0_while_it_takes_clients(ambassador, running, scheme):
    done = ambassador("healthcheck", AMBASSADOR_ADMIN=f"{scheme}{running.admin}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "ready\n", "")


def test_1_when_nobody_answers(ambassador, tmp_path):
    done = ambassador("healthcheck", "--admin", str(tmp_path / "none.sock"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing answers at" in done.stderr


def test_1_when_the_answer_takes_too_long(ambassador, tmp_path):
    path = tmp_path / "slow.sock"
    with socket.socket(socket.AF_UNIX) as slow:
        slow.bind(str(path))
        slow.listen()
        done = ambassador("healthcheck", "--timeout", "0.1", "--admin", str(path))
    assert done.returncode == 1
    assert done.stderr.endswith("does not answer: no answer in time\n")


def test_1_when_it_has_no_admin_socket(ambassador):
    done = ambassador("healthcheck", AMBASSADOR_ADMIN="off")
    assert done.returncode == 1
    assert "AMBASSADOR_ADMIN is off" in done.stderr


def test_2_when_it_is_asked_wrongly(ambassador):
    assert ambassador("healthcheck", "--timeout", "-1").returncode == 2
    assert ambassador("healthcheck", "--admin", "relative").returncode == 2


def test_as_json_it_says_the_same(ambassador, running, tmp_path):
    done = ambassador("healthcheck", "--json", AMBASSADOR_ADMIN=str(running.admin))
    assert (done.returncode, json.loads(done.stdout)) == (0, {"ready": True, "phase": "ready"})
    done = ambassador("healthcheck", "--json", "--admin", str(tmp_path / "none.sock"))
    told = json.loads(done.stdout)
    assert (done.returncode, told["ready"], done.stderr) == (1, False, "")
    assert "nothing answers at" in told["error"]
