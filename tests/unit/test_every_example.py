"""Each error about what a user wrote has an example; typed as it stands, it ends that error.

The places that make such errors are collected from the code: one that no case here reaches fails,
and so does a problem without an example, unless `PLAIN` says why it has none.
"""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

import ambassador
from ambassador.app import assemble, examine, signals
from ambassador.app.alone import in_fleet
from ambassador.app.assemble import token
from ambassador.cli.verbs import invoke
from ambassador.control.reconciler import read
from ambassador.errors import ConfigError, Problem
from ambassador.planes.kernel.eligible import Abilities, demand
from ambassador.settings import Settings
from ambassador.sources import networks
from ambassador.sources.env import EnvironmentSource
from ambassador.sources.file import LARGEST, FileSource
from ambassador.sources.hosts import HostsSource
from ambassador.spec.text import Malformed
from ambassador.store import FileStore

ROOT = Path(ambassador.__file__).parent
ROOMS = ("sources", "spec", "settings", "store.py", "sockets", "cli", "app", "core/merge.py")
ALSO = ("planes/kernel/eligible.py", "admin/token.py")
MAKERS = ("Problem", "Malformed", "self._problem", "_wrong", "_listen_problem")
R = "REDIS_PORT_6379_TCP"
DNS = "DNS_PORT_53_UDP"
URL = "tcp://db:6379"

# Findings without an example, by a part of their text, each with the reason.
PLAIN = {
    "is larger than": "a file is made smaller in many ways",
    "is nested too deeply": "there is no line that is wrong",
    "is not TOML": "the language is not ours",
    "is not UTF-8": "what was meant cannot be told",
    "is not a regular file": "what stands there is not ours to replace",
    "10000 are possible": "which identities may be left out cannot be told",
}
# Places nothing leads to yet, by their text, each with the reason.
UNREACHED = {
    "has no name after the members": "each authority there is has a name",
    "Problem(where, problem, written": "an engine says it; tests/unit/app/test_examine.py",
    "found.problem + more": "an engine says it; it needs one",
}
# Modules whose errors are about what another program has written, with the reason.
FOREIGN = {
    "sockets/systemd.py": "systemd sets these variables, nobody types them",
    "app/fleet.py": "what stands in etcd; tests/unit/app/test_fleet.py reaches them",
}


@dataclass(frozen=True)
class Tried:
    """What a user has written."""

    environ: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()  # of the configuration file
    hosts: str = ""
    in_pod: bool = False


def link(*value: str, url: str = URL, name: str = R) -> Tried:
    """Return a link variable, with options in pairs."""
    options = dict(zip(value[::2], value[1::2], strict=True))
    return Tried({name: url} | {f"{name}_{key}": text for key, text in options.items()})


def toml(*lines: str, listen: str = ":6379", urls: str = '["tcp://db:6379"]') -> Tried:
    """Return a file with one route and some more lines in it."""
    return Tried(lines=("[route.redis]", f'listen = "{listen}"', f"endpoints = {urls}", *lines))


def followed(*value: str, **more: str) -> Tried:
    return link("HEALTH", "redis-primary", *value, **{"url": f"{URL},tcp://db2:6379"} | more)


PATRONI = "patroni://10.0.0.1,10.0.0.2"
FOLLOW = "sentinel://10.0.0.1:26379,10.0.0.2:26379/redis"
ENDPOINTS = (
    *("db:6379", "tcp://db", "tcp://", "udp://db:6379", "http://db:6379", "tcp://db:0"),
    *("tcp://db:99999", "tcp://db:010", "tcp://db:6379-6370", "tcp://user@db:6379", "tcp://1.2:5"),
    *("tcp://d b:1", "tcp://a_b!:1", "tcp://[1.2.3.4]:1", "tcp://[::1:1", "tcp://::1:1"),
    *("tcp://db:1/x", "tcp://db:1?", "tcp://db:1?weight=1&weight=2", "tcp://db:1?backup=1"),
    *(
        "tcp://db:1?wieght=2",
        "tcp://db:1?weight=0",
        "tcp://db:1?proxy=v3",
        "tcp://db:1?proxy",
        "tcp://db:1?verify=none",
        "tls://db:1?verify=x",
        "tls://db:1?tls=1.1",
        "tls://db:1?starttls=redis",
        "tcp://db:1,",
        "tcp://db:1,tcp://db:1",
    ),
    *("etcd://", "etcd://a/b", "etcd://a,tcp://b:1", "etcd://redis"),
    *("unix:x.sock", "unix://", "unix://x", "unix:///a%zz", "unix:///a%00", "unix:///a/"),
    *(f"unix:///{'a' * 120}", "tcp://db:1\x01"),
    *("docker://", "docker://?network=x", "docker://redis?label=a", "docker://-x", "docker://u@x"),
    *("docker://redis/x", "docker://redis:0", "docker://redis?wake=1"),
    *("docker://redis?wake&wake", "docker://redis?sleep=15m", "docker://redis?wake&sleep=1ms"),
    *("docker://redis?wake&sleep=x", "docker://redis?network=", "docker://?label==x"),
    *("podman://redis?netwrk=x", "srv://redis", "srv://", "srv://_redis._tcp.example.com:6379"),
)
OPTIONS = (
    *(("CONNECT", "soon"), ("CONNECT", "0"), ("CONNECT", "9999h"), ("KEEPALIVE", "0.5s")),
    *(("PICK", "rondrobin"), ("EXISTING", "cut=fast"), ("EXISTING", "keep=1"), ("EXISTING", "x")),
    *(("EXISTING", "keep,demoted"), ("EXISTING", "keep,demoted=cut,demoted=cut")),
    *(("EXISTING", "keep,gone=cut"), ("EXISTING", "keep,keep"), ("EXISTING", "drain")),
    *(("EXISTING", "cut=0/s"), ("EXISTING", "drain=soon")),
    *(("HEALTH", "rediss"), ("HEALTH", "tcp:/x"), ("HEALTH", "http:x"), ("INTERVAL", "1ms")),
    *(("RISE", "0"), ("FALL", "x"), ("LISTEN", "nowhere"), ("LISTEN", "127.0.0.1")),
    *(("LISTEN", ":6379-6380"), ("LISTEN", ":1?backup"), ("LISTEN", "tcp://:1")),
    *(("LISTEN", ":1?proxy"), ("LISTEN", ":1?proxy=from:"), ("LISTEN", ":1?proxy=from:10.0.0.1/8")),
    *(("LISTEN", ":1?"), ("LISTEN", ":1?proxy=required&proxy=required"), ("LISTEN", ":x?proxy=a")),
    ("LISTEN", "unix:///run/x?proxy=from:10.0.0.0/8"),
    *(("LISTEN", "tls://unix:///run/x"), ("LISTEN", ":1?verify=none"), ("LISTEN", "tls://:1")),
    *(("PEERS", "@{tmp}/empty"), ("PEERS", "@{tmp}/latin"), ("PEERS", "@{tmp}/many")),
    *(("PEERS", "a b"), ("PEERS", "a"), ("PEERS", ",".join(map(str, range(1001))))),
    *(("LISTEN", "host:1"), ("SOURCE", "x"), ("SOURCE", "10.0.0.1,10.0.0.1"), ("IDLE", "5s")),
    *(("CONECT", "5s"), ("FOLLOW", "x"), ("FOLLOW", "sentinel://10.0.0.1:0")),
    *(("FOLLOW", "sentinel://10.0.0.1:1/a!b"), ("FOLLOW", "sentinel:///m")),
    *(("FOLLOW", "sentinel://10.0.0.1:1,,10.0.0.2:2/m"), ("FOLLOW", "sentinel://a:1-2/m")),
    *(("FOLLOW", "sentinel://a:1,a:1/m"), ("USER", "a b"), ("PASSWORD_FILE", "secret")),
    *(("FOLLOW", f"sentinel://{','.join(f'a{n}:1' for n in range(99))}/m"), ("FOLLOW", "redis://")),
    *(("FOLLOW", "patroni://n0/lab"), ("FOLLOW", "patroni://"), ("FOLLOW", "patroni://n0,n0")),
    *(("ALLOW", "x"), ("ALLOW", "10.0.0.0/99"), ("ALLOW", "10.0.0.1/8"), ("DENY", "@x")),
    *(
        ("DENY", "all"),
        ("ALLOW", "@{tmp}/none"),
        ("ALLOW", "@{tmp}/latin"),
        ("ALLOW", "@/dev/null"),
    ),
    *(
        ("ALLOW", "@{tmp}/empty"),
        ("ALLOW", "@{tmp}/large"),
        ("LIMIT", "x"),
        ("LIMIT_CLIENT", "0"),
        ("RATE", "5"),
        ("LIMIT", "5,wait"),
        ("LIMIT", "5,wait=0"),
        ("RATE", "off,wait=2s"),
        ("RATE", "5/soon"),
        ("BAN", "x"),
        ("HEALTH_TLS", "x"),
        ("NONE", "x"),
        ("NONE", "hold=x"),
        ("PROMOTE", "x"),
        ("USER", "u"),
    ),
)
SETTINGS = (
    *(("ROUTES", "a,,b"), ("BUFFER", "1"), ("BUFFER", "x"), ("BUFFER", "1.5KiB"), ("MEMORY", "1")),
    *(("BACKLOG", "0"), ("WORKERS", "x"), ("ADMIN", "x"), ("ADMIN", f"/{'a' * 120}")),
    *(("STATE", "x"), ("METRICS", ":1-2"), ("API", "x"), ("API_TOKEN", "short")),
    *(("CONFIG", "\0"), ("PORTS", "0"), ("PORTS", "1,x"), ("PLANE", "x"), ("GRACE", "-1")),
    *(("ETCD", "etcd1:2379"), ("ETCD", "http://u:p@h:1"), ("ETCD", "http://h:1-2")),
    *(("ETCD", "http://:1"), ("ETCD", "http://h:1,http://h:1"), ("ETCD_USER", "@x")),
    *(("ETCD_CA", "\0"), ("FLEET", "ambassador"), ("FLEET", "/a b"), ("FLEET", "/a")),
    *(("FLEET_ALLOW", "redis,,db"), ("FLEET_ALLOW", "10.0.0.1/8"), ("ANNOUNCE", "redis")),
    *(("ANNOUNCE", "redis=x"), ("ANNOUNCE", "redis=tcp://h:1")),
    *(("GRCE", "1s"), ("XYZ", "1"), ("LOG", "x"), ("LOG_LEVEL", "x"), ("NAME", "a.b")),
    *(("DOCKER", "x"), ("DOCKER", "unix:///a b"), ("DOCKER_LABELS", "x")),
    *(("WAKE_COMMAND", "'"), ("WAKE_COMMAND", "''")),
    *(("GRCE", "1s"), ("XYZ", "1"), ("LOG", "x"), ("LOG_LEVEL", "x")),
)
X = "X_PORT_7000_TCP"
RANGES = (
    {f"{X}_START": "tcp://h:7000"},
    {f"{X}_END": "tcp://h:7003"},
    {f"{X}_START": "tcp://h", f"{X}_END": "tcp://h:7003"},
    {f"{X}_START": "tcp://h:7000-7001", f"{X}_END": "tcp://h:7003"},
    {f"{X}_START": "tcp://h:7000", f"{X}_END": "tcp://h:6999"},
    {f"{X}_START": "tcp://h:7000", f"{X}_END": "tcp://g:7003"},
    {f"{X}_START": "tcp://h:65534", f"{X}_PORT_END": "7003", "X_PORT_7003_TCP_END": "tcp://h:3"},
    {f"{X}_START": "tcp://h:7000", f"{X}_END": "tcp://h:7003", "X_PORT_7001_TCP": "tcp://h:1"},
    {
        f"{X}_START": "tcp://h:7000",
        f"{X}_END": "tcp://h:7003",
        "X_PORT_7001_TCP": "tcp://h:7001",
        "X_PORT_7001_TCP_CONNECT": "5s",
    },
)
HOSTS = [
    "172.17.0.9 ambassador 0123456789ab",
    "172.17.0.9 kubernetes 0123456789ab",
    "172.17.0.9 cache 0123456789ab",
    "172.17.0.9 my-app.1 0123456789ab",
    "172.17.0.9 1cache 0123456789ab",
]
TRIED = [
    *(link(url=url) for url in (*ENDPOINTS, "docker://redis/udp", "srv://_redis._udp.example.com")),
    *(link(*option) for option in OPTIONS),
    *(Tried({f"AMBASSADOR_{name}": text, R: URL}) for name, text in SETTINGS),
    *map(Tried, RANGES),
    link(url="unix:///x", name=DNS),
    *(
        link(*one, url="udp://h:53", name=DNS)
        for one in (("KEEPALIVE", "30s"), ("HEALTH", "redis"))
    ),
    link("LISTEN", "unix:///x", url="udp://h:53", name=DNS),
    followed(url=f"{URL},tcp://db2:6379?proxy=v2"),
    link("LISTEN", ":53?proxy=required", url="udp://h:53", name=DNS),
    link("LIMIT", "5,wait=2s", url="udp://h:53", name=DNS),
    link(url="udp://h:53?proxy=v2", name=DNS),
    link("LISTEN", "unix:///x", "ALLOW", "10.0.0.0/8"),
    link("FOLLOW", FOLLOW, "HEALTH", "redis"),
    link("HEALTH", "redis-primary"),
    link("LAG", "3s"),
    link("HEALTH", "http:0/a"),
    link("HEALTH", "http:8008"),
    link("HEALTH", "postgres-replica"),
    link("HEALTH", "redis-replica", url="unix:///x"),
    link("HEALTH", "http:8008/x", url="unix:///x"),
    followed("PROMOTE", "fast"),
    link("FOLLOW", PATRONI, "PROMOTE", "fast"),
    link("FOLLOW", PATRONI, "SENTINEL_USER", "probe"),
    followed("LISTEN", ":6379-6380", url="tcp://a:6379-6380,tcp://b:6379-6380"),
    followed(url=f"{URL},tcp://db2:6379?backup"),
    followed(url=f"{URL},unix:///x"),
    followed("HEALTH", "postgres-primary"),
    *(Tried({name: URL}) for name in ("A B_PORT_6379_TCP", "A_PORT_0_TCP", "A_PORT_99999_TCP")),
    Tried({"REDIS_PORT_6379_SCTP": "sctp://db:6379"}),
    Tried({R: URL, R.capitalize().replace("port", "PORT").replace("tcp", "TCP"): URL}),
    Tried({f"{R}_CONNECT": "5s"}),
    Tried({"A_PORT_60000_TCP": "tcp://h:1-6000"}),
    Tried({R: URL, "AMBASSADOR_ROUTES": "cache"}),
    Tried({R: URL}, in_pod=True),
    Tried({R: URL, "C_PORT_6379_TCP": URL}),
    Tried({"X_PORT_70_TCP": "tcp://localhost:70"}),
    Tried({R: URL, "AMBASSADOR_API": ":9463"}),
    Tried({R: URL, "AMBASSADOR_METRICS": "127.0.0.1:9463?x"}),
    Tried({R: URL, "AMBASSADOR_API": ":9463", "AMBASSADOR_API_TOKEN_FILE": "{tmp}/none"}),
    Tried({R: URL, "AMBASSADOR_API": ":9463", "AMBASSADOR_API_TOKEN_FILE": "{tmp}/latin"}),
    Tried(
        {
            R: URL,
            "AMBASSADOR_API": ":9463",
            "AMBASSADOR_API_TOKEN_FILE": "{tmp}/latin",
            "AMBASSADOR_API_TOKEN": "a-very-good-token-it-is",
        }
    ),
    *(
        Tried(arguments=arguments)
        for arguments in (
            *(
                ("localhost", "80"),
                ("redis",),
                ("6379",),
                ("db", "0"),
                (f"{R}={URL}", f"{R}={URL}"),
                (f"{R}={URL}", f"B_PORT_6379_TCP={URL}"),
                ("db:6379",),
            ),
            *(("AMBASSADOR_GRACE=5s",), ("AMBASSADOR_PORT_1_TCP=tcp://h:1",), ("A=B",)),
            *(("redis_port_6379_tcp=tcp://h:1",), ("KUBERNETES_PORT_1_TCP=tcp://h:1",)),
        )
    ),
    *(Tried(hosts=line) for line in (*HOSTS, "")),
    Tried({"AMBASSADOR_ROUTES": "cache"}, hosts="172.17.0.9 redis 0123456789ab"),
    Tried({"AMBASSADOR_ROUTES": "cache"}),
    Tried(
        {"AMBASSADOR_PORTS": "1,2"}, hosts="172.17.0.9 a 0123456789ab\n172.17.0.8 b 0123456789ac"
    ),
    *(
        toml(urls=f'["{url}"]')
        for url in ENDPOINTS
        if not url.startswith("udp") and "\x01" not in url
    ),
    *(toml(f'{key.lower()} = "{text}"') for key, text in OPTIONS if key != "LISTEN"),
    *(toml(listen=text) for key, text in OPTIONS if key == "LISTEN"),
    *(toml(urls=text) for text in ("5", "[]", "[5]")),
    *(toml(line) for line in ("connect = true", "x = true", 'listens = ":1"', "rise = 0")),
    toml(urls='["tcp://db:6379-6380"]'),
    link("LISTEN", ":6379", url="tcp://db:6379-6380"),
    toml('health = "redis-primary"'),
    toml('health = "redis-primary"', urls='["tcp://a:1", "tcp://b:1?backup"]'),
    toml('health = "redis-primary"', urls='["tcp://a:1", "unix:///x"]'),
    toml('user = "u"'),
    toml(f'follow = "{FOLLOW}"', 'health = "redis"'),
    toml('keepalive = "30s"', urls='["udp://h:53"]'),
    toml("", listen=":6379-6381"),
    *(
        Tried(lines=lines)
        for lines in (
            ("[route.redis]", f'endpoints = ["{URL}"]'),
            ("[route.redis]", 'listen = ":1"'),
            ('[route."a b"]', 'listen = ":1"', f'endpoints = ["{URL}"]'),
            ("[routes.redis]", 'listen = ":1"', f'endpoints = ["{URL}"]'),
            ("route = 5",),
            ("[route]", "redis = 5"),
            ("[route.redis",),
            ("a = " + "[" * 5000,),
            ("a = " + "1" * 5000,),
            ("\udcff",),
            ("#" * (LARGEST + 1),),
            (*toml().lines, "[route.other]", *toml().lines[1:]),
            (*toml(listen=":7", urls='["tcp://localhost:7"]').lines,),
        )
    ),
]


@pytest.fixture
def problems(tmp_path, monkeypatch):
    """Return what reads all that was written, as `check` does, and gives the problems."""
    hosts = tmp_path / "hosts"
    (tmp_path / "latin").write_bytes(b"\xe9")
    (tmp_path / "empty").write_text("")
    (tmp_path / "many").write_text("\n".join(map(str, range(10_001))))
    (tmp_path / "large").write_text("#" * (networks.LARGEST + 1))

    def look(tried):
        environ = {k: v.replace("{tmp}", str(tmp_path)) for k, v in tried.environ.items()}
        file = tmp_path / "a.toml"
        sources = []
        if tried.lines:
            text = "\n".join(tried.lines).replace("{tmp}", str(tmp_path))
            file.write_bytes(text.encode(errors="surrogateescape"))
            sources.append(FileSource(file))
        hosts.write_text(tried.hosts)
        try:
            settings = Settings.from_environ(environ, {})
            token(settings)
            names, ports = settings.routes, settings.ports
            env = EnvironmentSource(
                environ, tried.arguments, routes=names, in_pod=tried.in_pod, others=bool(sources)
            )
            given = [env, *sources, HostsSource(hosts, routes=names, ports=ports)]
            admit, fleet = assemble.lists(settings), in_fleet(settings, given, None)
            read(given, admission=lambda route: admit(fleet.placed(route)))
        except ConfigError as error:
            return error.problems
        return ()

    return look


def typed(tried: Tried, problem: Problem, tmp_path: Path) -> Tried:
    """Return what is written once the example of `problem` was typed."""
    example = problem.example
    path = Path(problem.where.partition(", line")[0])
    if path.parent == tmp_path and path.name in ("latin", "empty") and not example.startswith("h"):
        path.write_text(example)
        return tried
    if example.startswith(("head ", "echo ")):
        subprocess.run(example, shell=True, check=True)
        return tried
    setting = example.startswith("AMBASSADOR_IDENTITY=")
    if tried.lines and not setting and (at := re.search(r", line (\d+)", problem.where)):
        return replace(tried, lines=written(tried.lines, int(at[1]), example))
    words = shlex.split(example)
    name = problem.where.removeprefix("environment variable ").removeprefix("argument ")
    if problem.where.startswith("argument") or words[0] == "ambassador":
        words = [word for word in words if word not in ("ambassador", "run")]
        if words[0].startswith("--"):
            flag, value = words
            setting = f"AMBASSADOR_{flag[2:].upper()}"
            return replace(tried, arguments=(f"{R}={URL}",), environ={setting: value})
        wrong = name.partition("=")[0]
        kept = () if "=" not in words[0] else tried.arguments
        kept = tuple(one for one in kept if one.partition("=")[0] != wrong and one != wrong)
        return replace(tried, arguments=(*kept, *words))
    assigned = dict(word.partition("=")[::2] for word in words if word != "-e")
    assert all("=" in word for word in words if word != "-e"), example
    if name not in assigned:  # it stands for what it replaces
        tried = replace(tried, environ={k: v for k, v in tried.environ.items() if k != name})
    return replace(tried, environ=tried.environ | assigned)


def written(lines: tuple[str, ...], at: int, example: str) -> tuple[str, ...]:
    """Return `lines` with `example` in its place: at its key, in its table, or at the line."""
    key = example.partition(" =")[0]
    for number in range(at - 1, len(lines)):
        if number >= at and lines[number].startswith("["):
            break
        if lines[number].partition(" =")[0] == key:
            return (*lines[:number], example, *lines[number + 1 :])
    if lines[at - 1].startswith("[") and not example.startswith("["):
        return (*lines[:at], example, *lines[at:])
    return (*lines[: at - 1], example, *lines[at:])


def told(problem: Problem) -> tuple[str, str]:
    """Return what tells an error from others; numbers of lines may change."""
    return re.sub(r", line \d+", "", problem.where), problem.what


@pytest.mark.parametrize("tried", TRIED, ids=lambda tried: repr(tried)[6:120])
def test_an_example_ends_the_error_it_stands_in(problems, tried, tmp_path):
    found = problems(tried)
    assert found
    for one in found:
        if not one.example:
            assert any(text in one.what for text in PLAIN), f"no example: {one}"
            continue
        again = problems(typed(tried, one, tmp_path))
        assert told(one) not in map(told, again), f"{one.example} gives the same error"
        assert not any("TOML" in other.what for other in again), f"{one.example} is not TOML"


def test_of_settings_and_routes_that_do_not_fit(tmp_path):
    """Those are found out of `check`'s reach: at the start of `run`."""
    with pytest.raises(ConfigError) as caught:
        demand(link_routes("LISTEN", "unix:///x"), Abilities("nft", "", "", "", ""))
    assert [one.example for one in caught.value.problems] == ["AMBASSADOR_PLANE=auto"]
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file" / "x", Path("/proc/1")):
        with pytest.raises(ConfigError) as caught:
            FileStore(folder, assemble.assigned).load()
        (one,) = caught.value.problems
        assert Settings.from_environ(dict([one.example.split("=")]), {}).state != str(folder)


def test_the_admin_socket_an_upgrade_needs_can_be_set():
    name, path = signals._NO_WAY.example.split("=")
    assert Settings.from_environ({name: path}, {}).admin == path


def link_routes(*option: str):
    return EnvironmentSource(link(*option).environ).read().routes


def constructions(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        text = ast.unparse(node) if isinstance(node, ast.Call) else ""
        made = isinstance(node, ast.Call) and ast.unparse(node.func) in MAKERS
        if made and not any(part in text for part in UNREACHED):
            yield node.lineno, node.end_lineno or node.lineno


def refuse_pairs(folder: Path) -> None:
    """Have each error of `pair` made."""
    out = ("--out", str(folder))
    for words in (["a"], ["a", "a"], ["a b", "c"], ["a", "b", "--days", "0"], ["--renew"]):
        assert invoke(["pair", *words, *out]) == 2
    assert invoke(["pair", "a", "b", "--out", str(folder / "nowhere")]) == 2
    assert invoke(["pair", "a", "b", *out]) == 0
    assert invoke(["pair", "a", "b", *out]) == 2
    (folder / "c.pem").write_text("nothing")
    assert invoke(["pair", "--renew", "c", *out]) == 2
    bundles = [folder / "a.pem", folder / "b.pem"]
    (folder / "ambassador-authority.pem").unlink()
    assert invoke(["pair", "d", "e", *out]) == 0
    assert invoke(["pair", "--renew", "a", *out]) == 2
    for path in (*bundles, folder / "d.pem", folder / "e.pem"):
        path.unlink()
    assert invoke(["pair", "--renew", *out]) == 2
    (folder / "ambassador-authority.pem").write_text("nothing")
    assert invoke(["pair", "--renew", *out]) == 2


def test_every_place_that_makes_an_error_is_reached_here(problems, tmp_path, monkeypatch, capsys):
    reached = set()
    for made in (Problem, Malformed):
        make = made.__init__

        def noted(self, *args, make=make, **kwargs):
            frame = sys._getframe(1)
            while frame is not None:
                reached.add((frame.f_code.co_filename, frame.f_lineno))
                frame = frame.f_back
            make(self, *args, **kwargs)

        monkeypatch.setattr(made, "__init__", noted)
    for tried in TRIED:
        problems(tried)
    test_of_settings_and_routes_that_do_not_fit(tmp_path)
    store = tmp_path / "store"
    store.mkdir()
    (store / "wishes.json").write_text("{")
    with pytest.raises(ConfigError):
        FileStore(store, assemble.assigned).load()
    importlib.reload(signals)  # has one that is made once
    examine(Settings(docker="unix:///none"), {}, assemble.assigned([f"{R}=docker://db"]).routes)
    publish = (["publish", "db"], ["publish", "db", "x"], ["publish", "db", "1-2"])
    status = ["status", "--name", "web", "--admin", "/run/a.sock"]
    move, announce = ["fleet", "move", "redis", URL], ["announce", "redis", URL]
    of_a_fleet = (
        [*move, "--canary", "0%"],
        [*move[:2], "a/b", URL],
        ["fleet", "status"],
        ["announce", "a/b", URL],
        [*announce, "--health", "postgres-primary"],
        announce,
        ["announce", "a", "unix:///x", "--health", "redis-primary", "--etcd", "http://h:1"],
    )
    for verb in (["stat"], ["top"], status, *publish, ["publish", "db", "80/sctp"], *of_a_fleet):
        assert invoke(verb) == 2
    refuse_pairs(tmp_path)
    missing = [
        f"{path.relative_to(ROOT)}:{first}"
        for room in (*ROOMS, *ALSO)
        for path in ([ROOT / room] if room.endswith(".py") else sorted((ROOT / room).rglob("*.py")))
        if str(path.relative_to(ROOT)) not in FOREIGN
        for first, last in constructions(path)
        if not any((str(path), line) in reached for line in range(first, last + 1))
    ]
    assert "\n".join(missing) == ""
