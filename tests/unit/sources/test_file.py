"""Routes of ambassador.toml, and what is said of a wrong one: file, line and key."""

import os
from pathlib import Path

import pytest

from ambassador.errors import ConfigError, SourceError
from ambassador.model import Endpoint, Existing, Fate, Inet, Pick, Proto, Unix
from ambassador.sources.env import EnvironmentSource
from ambassador.sources.file import LARGEST, FileSource


@pytest.fixture
def read(tmp_path):
    path = tmp_path / "ambassador.toml"

    def reading(text):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return FileSource(path).read()

    return reading


@pytest.fixture
def wrong(read, tmp_path):
    """Return the problems of a document; the path of the file is left out."""

    def reading(text):
        with pytest.raises(ConfigError) as caught:
            read(text)
        path = tmp_path / "ambassador.toml"
        return [(p.where.removeprefix(f"{path}, "), p) for p in caught.value.problems]

    return reading


WHOLE = """
[route.redis]
listen = ":6379"
endpoints = ["tcp://db1:6379?weight=2", "tcp://db2:6379?backup"]
pick = "least"
connect = "500ms"
keepalive = 30
existing = "drain=30s"

[route.DNS]
listen = 53
endpoints = "udp://172.17.0.5:53"
idle = 1.5

[route."search-unix"]
listen = "unix:///run/here.sock"
endpoints = "unix:///run/search.sock"
"""


def test_everything_a_route_can_have(read):
    redis, dns, search = read(WHOLE).routes
    assert (redis.name, redis.listen, redis.proto) == ("redis", Inet("", 6379), Proto.TCP)
    assert redis.endpoints == (
        Endpoint(Inet("db1", 6379), weight=2),
        Endpoint(Inet("db2", 6379), backup=True),
    )
    assert (redis.pick, redis.connect, redis.keepalive) == (Pick.LEAST, 0.5, 30)
    assert redis.existing == Existing(Fate.DRAIN, seconds=30)
    assert (dns.name, dns.proto, dns.idle) == ("dns", Proto.UDP, 1.5)
    assert (search.name, search.listen) == ("search-unix", Unix("/run/here.sock"))
    assert redis.origin.endswith("ambassador.toml, line 2")


def test_the_same_route_as_by_variables(read):
    (route,) = read(
        '[route.db]\nlisten = "5432-5433"\nendpoints = "tcp://db:7000-7001"\nconnect = "2s"\n'
    ).routes
    (other,) = (
        EnvironmentSource(
            {"DB_PORT_5432_TCP": "tcp://db:7000-7001", "DB_PORT_5432_TCP_CONNECT": "2s"}
        )
        .read()
        .routes
    )
    assert route.listen == other.listen
    assert (route.name, route.endpoints, route.connect) == (
        other.name,
        other.endpoints,
        other.connect,
    )


def test_a_line_that_moves_is_no_change(read):
    assert read(WHOLE).routes == read(f"# a remark\n{WHOLE}").routes


def test_no_route_is_no_error_here(read):
    assert read("").routes == ()


REDIS = '[route.redis]\nlisten = ":6379"\nendpoints = "tcp://r:6379"\n'


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        (f"{REDIS}conect = 1\n", "line 4, route.redis.conect", 'did you mean "connect"?'),
        (f"\n{REDIS}connect = '0s'\n", "line 5, route.redis.connect", "must be more than 0"),
        (f"{REDIS}connect = true\n", "line 4, route.redis.connect", "neither a text nor a number"),
        (f"{REDIS}idle = 5\n", "line 4, route.redis.idle", 'the option "idle" is for UDP'),
        (f"{REDIS}connect = [\n 1]\n", "line 4, route.redis.connect", "neither a text nor"),
        ("[route.a]\nlisten = 1\n", "line 1, route.a", "endpoints are missing"),
        ("[route.a]\nendpoints = 'tcp://a:1'\n", "line 1, route.a", "listen is missing"),
        ("[route.a]\nlisten = 0\nendpoints = 'tcp://a:1'\n", "line 2, route.a.listen", "port 0"),
        ("[route.a]\nlisten = 1\nendpoints = []\n", "line 3, route.a.endpoints", "is empty"),
        ("[route.a]\nlisten = 1\nendpoints = [1]\n", "line 3, route.a.endpoints", "list of texts"),
        ("[route.a]\nlisten = 1\nendpoints = 'a:1'\n", "line 3, route.a.endpoints", "the scheme"),
        (
            "[route.a]\nlisten = 1\nendpoints = ['tcp://a:1', 'udp://a:1']\n",
            "line 3, route.a.endpoints",
            "contradicts",
        ),
        (
            "[route.a]\nlisten = 1\nendpoints = ['tcp://a:1', 'tcp://a:1?backup']\n",
            "line 3, route.a.endpoints",
            "twice",
        ),
        (
            "[route.a]\nlisten = '1-2'\nendpoints = 'tcp://a:1'\n",
            "line 3, route.a.endpoints",
            "has 2 ports",
        ),
        ("[route.'a b']\nlisten = 1\nendpoints = 'tcp://a:1'\n", "line 1, route.a b", "blank"),
        ("[route]\nredis = 1\n", "line 2, route.redis", "is no table"),
        ("route = 1\n", "line 1, route", "is no table"),
        ("[[route.a]]\nlisten = 1\n", "line 1, route.a", "is no table"),
        ("[rout.redis]\n", "line 1, rout", 'did you mean "route"?'),
        ("[route.redis\n", "line 1", "is not TOML"),
        (f"{REDIS}connect = \n", "line 4", "is not TOML: invalid value"),
        (f"{REDIS}{REDIS}", "line 4", "is not TOML: cannot declare"),
        (f"{REDIS}connect = '''", "line 4", "is not TOML"),
        (b"a = 1\n# \xff\n", "line 2", "is not UTF-8"),
    ],
)
def test_a_finding_has_line_key_and_reason(wrong, text, where, what):
    ((found, problem),) = wrong(text)
    assert found == where
    assert what in problem.what


def test_everything_that_is_wrong_is_told_at_once(wrong):
    found = wrong(
        "[route.a]\nlisten = 0\nendpoints = ['x', 'tcp://b:0']\npick = 'no'\n[route.b]\n[other]\n"
    )
    assert [where.partition(",")[0] for where, _ in found] == [
        *("line 6", "line 3", "line 3", "line 2", "line 4", "line 5", "line 5"),
    ]


def test_an_example_can_be_typed_as_it_stands(wrong, read):
    ((_, problem),) = wrong(f"{REDIS}connect = 'soon'\n")
    assert problem.example == 'connect = "5s"'
    read(f"{REDIS}{problem.example}\n")


def test_a_password_is_not_shown(wrong):
    text = "[route.a]\nlisten = 1\nendpoints = 'tcp://:hunter2@a:1'\n"
    assert all("hunter2" not in str(problem) for _, problem in wrong(text))


def test_a_file_that_cannot_be_read_is_no_empty_one(tmp_path):
    with pytest.raises(SourceError, match="none: No such file"):
        FileSource(tmp_path / "none").read()
    with pytest.raises(SourceError, match="is not a regular file"):
        FileSource(tmp_path).read()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(SourceError, match="is not a regular file"):
        FileSource(tmp_path / "fifo").read()


def test_a_file_too_large_is_refused(wrong):
    ((_, problem),) = wrong(b"#" * (LARGEST + 1))
    assert "larger than 4 MiB" in problem.what


def test_a_document_nested_without_end_is_refused(wrong):
    ((_, problem),) = wrong("a = " + "[" * 100_000)
    assert "nested" in problem.what or "is not TOML" in problem.what


def test_a_number_longer_than_python_reads_is_an_error_like_any_other(wrong):
    ((_, problem),) = wrong(f"{REDIS}connect = {'1' * 5000}\n")
    assert problem.what == "is not TOML that can be read: a number has 5000 digits"


def test_a_file_that_lost_its_name_while_it_was_bound_here_was_replaced(tmp_path):
    # What a bind mount of a single file shows once the host has put another in its place.
    path = tmp_path / "ambassador.toml"
    path.write_text(REDIS)
    with path.open() as bound:
        source = FileSource(Path(f"/proc/self/fd/{bound.fileno()}"))
        before = source.read()
        other = tmp_path / "new"
        other.write_text("")
        other.rename(path)
        with pytest.raises(SourceError, match="was replaced on the host"):
            source.read()
        # A file without a name from the beginning is somebody's wish (a here-document).
        assert FileSource(Path(f"/proc/self/fd/{bound.fileno()}")).read() == before
