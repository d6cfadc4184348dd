import shutil
import subprocess

import pytest

from tests.answering import running, saying
from tests.ports import free_port
from tests.wait import until


def test_a_nats_works_until_it_is_about_to_stop(verdict, tmp_path):
    if not shutil.which("nats-server"):
        pytest.skip("needs NATS: ./dev test")
    port = free_port()
    command = ("nats-server", "--addr", "127.0.0.1", "--port", str(port), "-P", f"{tmp_path}/pid")
    with running(*command):
        until(lambda: verdict("nats", port) == "", 10)
        subprocess.run(["nats-server", "--signal", f"ldm={tmp_path}/pid"], check=True, timeout=10)
        until(lambda: verdict("nats", port) != "", 10)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b'INFO {"server_id":"x"} \r\n', ""),
        (b'INFO {"server_id":"x","ldm":true} \r\n', "is about to stop"),
        (b"-ERR 'maximum connections exceeded'\r\n", "maximum connections exceeded"),
        (b"+PONG\r\n", "greets with '+PONG'"),
        (b"INFO {", "ends before it has answered"),
    ],
)
def test_what_else_may_be_said(verdict, said, why):
    with saying(said, first=True) as port:
        found = verdict("nats", port)
        assert why in found
        assert bool(why) == bool(found)
