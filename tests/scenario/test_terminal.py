"""What an endpoint says is shown to an operator, and does not speak to the terminal."""

from __future__ import annotations

import subprocess

import pytest

from tests.answering import saying
from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ
from tests.wait import until

_EVIL = b"\x1b]0;owned\x07\x1b[2Jforged\r\nline"
_PACKET = b"\xff" + (1040).to_bytes(2, "little") + b"#08004" + _EVIL
_GREETING = len(_PACKET).to_bytes(3, "little") + b"\0" + _PACKET


@pytest.mark.parametrize("verb", [("status",), ("status", "m"), ("events",), ("top", "--once")])
def test_terminal_sequences_of_an_endpoint_are_shown_as_text(tmp_path, verb):
    admin = tmp_path / "admin.sock"
    port = free_port()
    with (
        saying(_GREETING, first=True) as endpoint,
        Program(
            f"M_PORT_{port}_TCP=tcp://127.0.0.1:{endpoint}",
            f"M_PORT_{port}_TCP_HEALTH=mysql",
            f"M_PORT_{port}_TCP_INTERVAL=100ms",
            AMBASSADOR_ADMIN=str(admin),
        ) as program,
    ):
        until(lambda: "forged" in str(program.events), 15)
        command = (*COMMAND, *verb, "--admin", str(admin))
        done = subprocess.run(command, env=clean_environ(), capture_output=True, check=True)
        text = done.stdout.decode()
        assert all(line.isprintable() for line in text.split("\n")), text
        if verb[-1] in ("m", "events"):
            assert "forged" in text
