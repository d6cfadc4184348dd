import json
import signal
import subprocess

from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ, is_ready
from tests.terminal import Terminal
from tests.wait import until


def test_what_has_happened(verb):
    assert verb("hold", "web").code == 0
    done = verb("events")
    assert done.code == 0
    first, *_, last = done.out.splitlines()
    assert first.split()[:1] == ["1"]
    assert "plane relay" in first
    assert "web held" in last


def test_lines_of_json_after_a_number(verb):
    known = [json.loads(line) for line in verb("events", "--json").out.splitlines()]
    assert [one["number"] for one in known] == list(range(1, len(known) + 1))
    after = verb("events", "--json", "--after", str(len(known) - 1)).out.splitlines()
    assert [json.loads(line)["number"] for line in after] == [len(known)]


def test_what_happens_is_followed(verb, operated):
    last = str(len(verb("events").out.splitlines()) - 1)
    where = ["--after", last, "--admin", str(operated.admin)]
    arguments = [*COMMAND, "events", "--follow", *where]
    with Terminal(arguments, clean_environ(TERM="xterm")) as terminal:
        terminal.read_until(lambda seen: seen.count("\n") == 1)
        assert verb("hold", "web").code == 0
        terminal.read_until(lambda seen: "web held" in seen)
        terminal.process.send_signal(signal.SIGINT)
        terminal.read_to_end()
        assert terminal.process.returncode == 130


def test_the_end_of_the_ambassador_is_the_end_of_what_is_followed(tmp_path):
    admin = tmp_path / "admin.sock"
    arguments = f"WEB_PORT_{free_port()}_TCP=tcp://127.0.0.1:1"
    with Program(arguments, AMBASSADOR_ADMIN=str(admin)) as program:
        until(lambda: is_ready(admin), 15)
        command = [*COMMAND, "events", "-f", "--json", "--admin", str(admin)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as following:
            assert b"route_started" in following.stdout.readline()
            assert program.stop() == 0
            out, err = following.communicate(timeout=10)
        assert (following.returncode, err) == (0, b"")
        told = [json.loads(line)["event"] for line in out.splitlines()]
        assert [name for name in told if name != "ready"][:1] == ["signal"]
