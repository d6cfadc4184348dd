"""Each example of an error of the configuration file, written in its line, ends that error."""

import re

import pytest

from ambassador.errors import ConfigError
from ambassador.sources.file import FileSource

LISTEN, ENDPOINTS = 'listen = ":6379"', 'endpoints = ["tcp://db:6379"]'
WRONG = [
    ["[route.redis]", ENDPOINTS],
    ["[route.redis]", LISTEN],
    ["[route.redis]", LISTEN, "endpoints = []"],
    ["[route.redis]", LISTEN, "endpoints = 5"],
    ['[route."a b"]', LISTEN, ENDPOINTS],
    ["[route.redis]", 'listen = "nowhere"', ENDPOINTS],
    ["[route.redis]", 'listen = "127.0.0.1"', ENDPOINTS],
    ["[route.redis]", 'listen = ":0"', ENDPOINTS],
    ["[route.redis]", LISTEN, 'listens = ":6379"', ENDPOINTS],
    *(
        ["[route.redis]", LISTEN, f'endpoints = ["{text}"]']
        for text in (
            *("", "db:6379", "tcp://db", "tcp://", "http://db:6379", "tcp://db:0", "tcp://a b:1"),
            *("tcp://db:99999", "tcp://db:6379?weight=0", "tcp://db:6379?wieght=2", "unix:a.sock"),
            *("tcp://[::1:6379", "tcp://db:6379,tcp://db:6379", "tcp://db:6379-6380"),
        )
    ),
    *(
        ["[route.redis]", LISTEN, ENDPOINTS, f"{key} = {value}"]
        for key, value in (
            ("connect", '"soon"'),
            ("connect", "0"),
            ("connect", "true"),
            ("keepalive", '"0.5s"'),
            ("pick", '"rondrobin"'),
            ("existing", '"cut=fast"'),
            ("health", '"rediss"'),
            ("interval", '"1ms"'),
            ("rise", "0"),
            ("fall", '"x"'),
            ("source", '"nowhere"'),
            ("idle", '"0"'),
        )
    ),
]


@pytest.fixture
def problems(tmp_path):
    def reading(lines):
        path = tmp_path / "ambassador.toml"
        path.write_text("\n".join(lines))
        try:
            FileSource(path).read()
        except ConfigError as error:
            return error.problems
        return ()

    return reading


@pytest.mark.parametrize("lines", WRONG, ids=" ".join)
def test_an_example_ends_the_error_it_stands_in(problems, lines):
    found = problems(lines)
    assert found
    for one in found:
        if not one.example:
            continue
        at = int(re.search(r", line (\d+)", one.where)[1])
        missing = one.what.endswith("missing") and lines[at - 1].startswith("[")
        now = [*lines[: at if missing else at - 1], one.example, *lines[at:]]
        again = [(other.where, other.what) for other in problems(now)]
        assert (one.where, one.what) not in again, f"{one.example} gives the same error"
        assert not any("TOML" in what for _, what in again), f"{one.example} is not TOML"
