"""Each error of a command has an example; typed as it stands, it ends that error.

The places that make such errors are collected from the code: one that no case here reaches fails.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import ambassador
from ambassador.admin.server import AdminServer
from ambassador.admin.tcp import api_door
from ambassador.admin.token import Token
from ambassador.app.assemble import assigned
from ambassador.cli.verbs import invoke
from ambassador.control.reconciler import Reconciler
from ambassador.errors import Problem
from ambassador.model import Inet
from ambassador.planes.relay.plane import RelayPlane
from ambassador.sources.env import EnvironmentSource
from tests.names import StaticResolver
from tests.ports import free_port
from tests.unit.admin.web import request

ROOT = Path(ambassador.__file__).parent
MODULES = (
    *("core/chosen.py", "core/decide.py", "core/meant.py", "core/moving.py", "core/names.py"),
    *("core/situation.py", "control/execute.py", "control/showing.py", "admin/plain.py"),
)
REACHED: set[tuple[str, int]] = set()
URL = "tcp://127.0.0.1:1"

# Verb, body (for a GET: the query); before it, what makes it wrong.
WRONG = [
    ("move", {"route": "dns", "endpoints": ["udp://127.0.0.1:5"], "existing": "cut"}),
    ("move", {"route": "redis", "endpoints": [URL]}),
    ("move", {"route": "redis", "endpoints": []}),
    ("move", {"route": "redis", "endpoints": [f"tcp://127.0.0.1:{n + 1}" for n in range(257)]}),
    ("move", {"route": "redis", "endpoints": ["tcp://127.0.0.1:7000-7001"]}),
    ("move", {"route": "redis", "endpoints": ["tcp://a:2", "tcp://a:2"]}),
    ("move", {"route": "redis", "endpoints": ["tcp://h"]}),
    ("move", {"route": "redis", "endpoints": ["tcp://h:1,h"]}),
    ("move", {"route": "redis", "endpoints": ["tcp://h:1,"]}),
    ("move", {"route": "redis", "endpoints": ["tcp://127.0.0.1:2"], "existing": "cut=fast"}),
    ("move", {"route": "redis", "endpoints": ["tcp://127.0.0.1:2"], "timeout": 0}),
    ("move", {"route": "redis", "endpoints": [1]}),
    ("move", {"route": "redis", "endpoints": "tcp://a:1"}),
    ("move", {"route": "redis", "endpoints": ["tcp://127.0.0.1:2"], "from": ["tcp://a:9"]}),
    ("undo", {"route": "redis"}),
    ("undo", {"route": "redsi"}, ("hold", {"route": "redis"})),
    ("undo", {"route": "redis", "change": 7}, ("hold", {"route": "redis"})),
    ("undo", {"route": "redis", "timeout": 0}, ("hold", {"route": "redis"})),
    ("history", "limit=0"),
    ("history", "route=redsi"),
    ("hold", {"route": "redis", "timeout": -1}),
    ("hold", {"route": "redis", "limit": 0}),
    ("hold", {"route": "redsi"}),
    ("hold", {"route": "db"}),
    ("hold", {"route": "redis", "max": 1}),
    ("hold", {}),
    ("hold", []),
    ("hold", b"{"),
    ("hold", {"route": 5}),
    ("hold", {"route": "redis"}, ("hold", {"route": "redis"})),
    ("hold", {"route": "redis"}, ("remove", {"route": "redis"})),
    ("release", {"route": "redis"}),
    ("reset", {"route": "redis"}),
    ("drain", {}),
    ("drain", {"route": "redis", "deadline": -1}),
    ("drain", {"route": "redis", "endpoint": "tcp://nowhere:1"}),
    ("maint", {"endpoint": "tcp://nowhere:1"}),
    ("ready", {"route": "nothing"}),
    ("cut", {"route": "redis", "rate": -1}),
    ("cut", {"session": "r1.1"}),
    ("cut", {"session": "r1.1", "route": "redis"}),
    ("add", {"assignments": []}),
    ("add", {"assignments": ["REDIS_PORT_1_TCP=h"]}),
    ("add", {"assignments": ["NEW_PORT_7001_TCP=tcp://h:1", "NEW_PORT_7001_TCP_LISTEN=:0"]}),
    ("add", {"assignments": ["NEW_PORT_7001_TCP=tcp://h:1", "NEW_PORT_7001_TCP_CONECT=5s"]}),
    ("add", {"assignments": ["{redis}"]}),
    ("add", {"assignments": ["{redis}"]}, ("remove", {"route": "redis"})),
    ("sessions", "limit=0"),
    ("sessions", "limit=x"),
    ("sessions", "limit=1&limit=2"),
    ("sessions", "route=redsi"),
    ("status", "route=redsi"),
]


@pytest.fixture
def asked(looping, tmp_path, monkeypatch):
    """Serve five routes; what makes a Problem is noted."""
    ports = [free_port() for _ in range(4)]
    redis = f"REDIS_PORT_{ports[0]}_TCP={URL}"
    given = [
        redis,
        f"DNS_PORT_{ports[1]}_UDP=udp://127.0.0.1:53",
        f"DB_PORT_{ports[2]}_TCP={URL}",
        f"DB_PORT_{ports[3]}_TCP={URL}",
    ]
    plane = looping.call(RelayPlane, StaticResolver(), buffer=65536, backlog=16)

    def made():
        return Reconciler([EnvironmentSource({}, given)], plane, read_assignments=assigned)

    reconciler = looping.call(made)
    looping.do(reconciler.start())
    server = looping.call(AdminServer, tmp_path / "a.sock", reconciler)
    looping.call(server.bind)
    looping.do(server.start())
    make = Problem.__init__

    def noted(self, *args, **kwargs):
        frame = sys._getframe(1)
        while frame is not None:
            REACHED.add((frame.f_code.co_filename, frame.f_lineno))
            frame = frame.f_back if frame.f_code.co_name == "wrong" else None
        make(self, *args, **kwargs)

    monkeypatch.setattr(Problem, "__init__", noted)
    monkeypatch.setenv("AMBASSADOR_ADMIN", str(tmp_path / "a.sock"))
    yield Asked(tmp_path / "a.sock", redis)
    looping.do(server.stop())
    looping.do(reconciler.stop(0))
    looping.call(plane.close)


class Asked:
    """Asks at `path`; `redis` is how the route of that name is written."""

    def __init__(self, path, redis):
        self.path, self.redis = path, redis

    def __call__(self, verb, body):
        if isinstance(body, str):
            return request(self.path, f"/v1/{verb}?{body}")
        if body == {"assignments": ["{redis}"]}:
            body = {"assignments": [self.redis]}
        return request(self.path, f"/v1/{verb}", "POST", body)


def examples(told):
    if told["problems"]:
        return [problem["example"] for problem in told["problems"]]
    return re.findall(r"^  example:  (.+)$", told["message"], re.MULTILINE)


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_an_example_of_an_error_of_a_command_ends_it(asked, case, capsys):
    verb, body, *before = case
    for one in before:
        assert asked(*one).status == 200
    answer = asked(verb, body)
    assert 400 <= answer.status < 500
    told = answer.json
    found = examples(told)
    assert found
    for example in found:
        words = shlex.split(example)
        if words[0] == "curl":
            done = subprocess.run(
                [*words[:1], "-s", "-w", "%{http_code}", *words[1:]],
                check=True,
                capture_output=True,
                text=True,
                timeout=10,
            )
            # where it is right and yet contradicts what is, its error is another one
            assert done.stdout[-3:] in ("200", "409"), f"{example}: {done.stdout}"
            assert told["message"] not in done.stdout
        else:
            assert words[0] == "ambassador"
            assert invoke(words[1:]) == 0, f"{example}: {capsys.readouterr().err}"


def constructions(module):
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Problem", "wrong"):
            yield node.lineno, node.end_lineno or node.lineno


def test_every_place_that_makes_such_an_error_is_reached_here(asked):
    for verb, body, *before in WRONG:
        for one in [*before, (verb, body)]:
            asked(*one)
        for undo in before and ("release", "reset"):
            asked(undo, {"route": "redis"})
    reached = {
        (Path(name).relative_to(ROOT).as_posix(), line)
        for name, line in REACHED
        if name.startswith(str(ROOT))
    }
    missing = [
        f"{module}:{first}"
        for module in MODULES
        for first, last in constructions(module)
        if not any((module, line) in reached for line in range(first, last + 1))
    ]
    assert missing == []


@pytest.mark.parametrize("kept", ["in a file", "in the variable"])
def test_over_tcp_an_example_has_the_token_from_where_it_is(
    looping, reconciler, tmp_path, kept, monkeypatch
):
    secret, port = "a-very-good-token-it-is", free_port()
    file = tmp_path / "a token"
    file.write_text(f"{secret}\n")
    monkeypatch.setenv("AMBASSADOR_API_TOKEN", secret if kept == "in the variable" else "")
    token = Token(lambda: secret, str(file) if kept == "in a file" else "")
    token.read()
    token.take_over()
    looping.do(reconciler.start())
    door = looping.call(api_door, Inet("127.0.0.1", port), reconciler, token)
    looping.do(door.start())
    try:
        curl = ["curl", "-s", "-H", f"Authorization: Bearer {secret}"]
        url = f"http://127.0.0.1:{port}/v1/sessions?limit=x"
        (example,) = examples(json.loads(subprocess.check_output([*curl, url], timeout=10)))
        typed = subprocess.run(example, shell=True, check=True, capture_output=True, timeout=10)
        assert json.loads(typed.stdout)["sessions"] == []
    finally:
        looping.do(door.stop())
