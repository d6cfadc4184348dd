"""Each example of an error, typed as it stands, ends that error."""

import re

import pytest

from ambassador.errors import ConfigError
from ambassador.sources.env import EnvironmentSource
from ambassador.sources.hosts import HostsSource

R = "REDIS_PORT_6379_TCP"
GOOD = {R: "tcp://db:6379"}
WRONG = [
    {R: "db:6379"},
    {R: "tcp://db"},
    {R: "tcp://"},
    {R: "udp://db:6379"},
    {R: "http://db:6379"},
    {R: "tcp://db:0"},
    {R: "tcp://db:99999"},
    {R: "tcp://db:6379?weight=0"},
    {R: "tcp://db:6379?wieght=2"},
    {R: "tcp://db:6379,tcp://db:6379"},
    {R: "tcp://[::1:6379"},
    {R: "unix:redis.sock"},
    {"REDIS_PORT_6379_SCTP": "sctp://db:6379"},
    {"A B_PORT_6379_TCP": "tcp://db:6379"},
    *(
        GOOD | {f"{R}_{key}": value}
        for key, value in (
            ("CONNECT", "soon"),
            ("CONNECT", "0"),
            ("KEEPALIVE", "0.5s"),
            ("PICK", "rondrobin"),
            ("EXISTING", "cut=fast"),
            ("HEALTH", "rediss"),
            ("INTERVAL", "1ms"),
            ("RISE", "0"),
            ("FALL", "x"),
            ("LISTEN", "nowhere"),
            ("LISTEN", "127.0.0.1"),
            ("LISTEN", ":6379-6380"),
        )
    ),
    {f"{R}_CONNECT": "5s"},
    {"X_PORT_7000_TCP_START": "tcp://h:7000"},
    {"X_PORT_7000_TCP_START": "tcp://h:7000", "X_PORT_7000_TCP_END": "tcp://g:7003"},
    {
        "X_PORT_7000_TCP_START": "tcp://h:7000",
        "X_PORT_7000_TCP_END": "tcp://h:7003",
        "X_PORT_7001_TCP": "tcp://h:1",
    },
    {},
]
HOSTS = [
    "172.17.0.9 ambassador 0123456789ab",
    "172.17.0.9 kubernetes 0123456789ab",
    "172.17.0.9 cache 0123456789ab",
    "172.17.0.9 my-app.1 0123456789ab",
    "172.17.0.9 1cache 0123456789ab",
]
TRIED = [*((wrong, "") for wrong in WRONG), *(({}, line) for line in HOSTS)]


@pytest.fixture
def problems(tmp_path):
    """Return what is wrong with an environment and a hosts file, by place and kind."""

    def reading(environ, hosts):
        path = tmp_path / "hosts"
        path.write_text(hosts)
        try:
            if not EnvironmentSource(environ).read().routes:
                HostsSource(path).read()
        except ConfigError as error:
            return {(one.where, one.what): one.example for one in error.problems}
        return {}

    return reading


@pytest.mark.parametrize(("environ", "hosts"), TRIED)
def test_an_example_ends_the_error_it_stands_in(problems, environ, hosts):
    found = problems(environ, hosts)
    assert found
    for place, example in found.items():
        assigned = re.findall(r"(?:^|-e )(.+?)=(\S+)", example)
        if not assigned:
            continue
        names = {name for name, _ in assigned}
        # An example under another name stands for what it replaces.
        kept = {
            name: text
            for name, text in environ.items()
            if name in names or not place[0].endswith(name)
        }
        again = problems(kept | dict(assigned), hosts)
        assert place not in again, f"{example} gives the same error"
