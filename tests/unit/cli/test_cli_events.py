import json
import signal

from tests.program import COMMAND, clean_environ
from tests.terminal import Terminal


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
