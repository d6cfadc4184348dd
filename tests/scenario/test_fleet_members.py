"""Three members of etcd, each a host of its own, and what may happen to them: no route is lost, no
client is refused, and a word is followed as soon as there is a quorum.
"""

import json
import signal
import socket
import subprocess
import threading
from contextlib import ExitStack
from functools import partial

import pytest

from ambassador.admin import client
from ambassador.core.commands import Status
from tests.answering import Named
from tests.etcd import PROGRAM
from tests.netns import Namespace
from tests.program import Program
from tests.wait import until

pytestmark = pytest.mark.root
WITHIN = 30.0
HUB = "10.88.0.254"
WORD = "/ambassador/services/s/word"


class Members:
    """Three members behind a bridge in the namespace `hub`, which is where the ambassador is."""

    def __init__(self, folder):
        self._stack = ExitStack()
        try:
            self._build(folder)
        except BaseException:
            self.close()
            raise

    def _build(self, folder):
        self.hub = self._namespace()
        self.folder = folder
        self.hub.run("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        self.hub.run("ip", "addr", "add", f"{HUB}/24", "dev", "br0")
        self.hub.run("ip", "link", "set", "br0", "up")
        self.hosts = {n: self._namespace() for n in (1, 2, 3)}
        self.processes = {}
        for n, host in self.hosts.items():
            ends = ("type", "veth", "peer", "name", "eth0", "netns", str(host.path))
            self.hub.run("ip", "link", "add", f"m{n}", *ends)
            self.hub.run("ip", "link", "set", f"m{n}", "master", "br0", "up")
            host.run("ip", "addr", "add", f"10.88.0.{n}/24", "dev", "eth0")
            host.run("ip", "link", "set", "eth0", "up")
        self.urls = [f"http://10.88.0.{n}:2379" for n in self.hosts]
        for n in self.hosts:
            self.start(n)
        self.answering()

    def _namespace(self):
        found = Namespace()
        self._stack.callback(found.close)
        return found

    def start(self, n, *more):
        url, peer = f"http://10.88.0.{n}:2379", f"http://10.88.0.{n}:2380"
        every = ",".join(f"m{one}=http://10.88.0.{one}:2380" for one in self.hosts)
        log = self._stack.enter_context((self.folder / f"m{n}.log").open("ab"))
        self.processes[n] = self.hosts[n].start(
            *(PROGRAM, "--name", f"m{n}", "--data-dir", str(self.folder / f"m{n}")),
            *("--listen-client-urls", url, "--advertise-client-urls", url),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", every, "--quota-backend-bytes", str(16 << 20)),
            *("--heartbeat-interval", "100", "--election-timeout", "1000", *more),
            stdout=log,
            stderr=log,
        )

    def kill(self, n, number=signal.SIGKILL):
        self.processes[n].send_signal(number)
        self.processes[n].wait(WITHIN)

    def cut(self, n):
        self.hub.run("ip", "link", "set", f"m{n}", "down")

    def heal(self, n):
        self.hub.run("ip", "link", "set", f"m{n}", "up")

    def ctl(self, *words, of=None, stdin=""):
        """Return what etcdctl says, asked of these members; None where it fails."""
        urls = ",".join(self.urls if of is None else [self.urls[n - 1] for n in of])

        def run():
            return subprocess.run(
                ("etcdctl", "--endpoints", urls, "--command-timeout", "5s", *words),
                check=False,
                capture_output=True,
                text=True,
                timeout=WITHIN,
                input=stdin,
            )

        done = self.hub.call(run)
        return done.stdout if done.returncode == 0 else None

    def say(self, url):
        """Write the word, as soon as that can be done."""
        value = json.dumps({"schema": 1, "endpoints": [url]})
        until(lambda: self.ctl("put", WORD, value), WITHIN)

    def answering(self):
        for n in self.hosts:
            until(lambda n=n: self.ctl("get", WORD, of=[n]) is not None, WITHIN, f"m{n} answers")

    def leader(self):
        found = json.loads(self.ctl("endpoint", "status", "-w", "json") or "[]")
        for n, one in enumerate(found, 1):
            status = one["Status"]
            if status["leader"] == status["header"]["member_id"]:
                return n
        return 0

    def close(self):
        self._stack.close()


def answer():
    try:
        with socket.create_connection(("127.0.0.1", 6379), 15) as sock:
            return sock.recv(10).decode()
    except OSError as error:
        return str(error)


class Scene:
    def __init__(self, folder):
        self.members = Members(folder)
        hub = self.members.hub
        inside = partial(hub.call, socket.create_server)
        places = ("A", 7001), ("B", 7002)
        self.servers = {name: Named(name, port, inside) for name, port in places}
        self.members.say(self.servers["A"].url)
        self.admin = folder / "a.sock"
        self.program = Program(
            "S_PORT_6379_TCP=etcd://s",
            net=hub,
            AMBASSADOR_ETCD=",".join(self.members.urls),
            AMBASSADOR_ADMIN=str(self.admin),
            AMBASSADOR_WORKERS="0",
        )
        self.program.wait_for("ready", WITHIN)
        self.wrong, self.count = [], 0
        self._over = threading.Event()
        self._load = threading.Thread(target=self._connect, daemon=True)
        self._load.start()

    def _connect(self):
        """New connections without end; what is neither A nor B is wrong."""
        self.members.hub.enter()
        while not self._over.wait(0.005):
            found = answer()
            self.count += 1
            if found not in self.servers:
                self.wrong.append(found)

    def answers(self, name):
        until(lambda: self.members.hub.call(answer) == name, WITHIN, f"{name} answers")

    def move(self, name):
        self.members.say(self.servers[name].url)
        self.answers(name)

    def stale(self):
        view = client.ask(self.admin, Status())
        found = next((one for one in view.sources if one.name == "etcd"), None)
        return found.stale if found else 0.0

    def close(self):
        self._over.set()
        self._load.join(WITHIN)
        self.program.__exit__()
        for server in self.servers.values():
            server.close()
        self.members.close()


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    found = Scene(tmp_path_factory.mktemp("members"))
    yield found
    found.close()


@pytest.fixture(autouse=True)
def nobody_is_refused(scene):
    scene.move("A")
    before = scene.count
    yield
    until(lambda: scene.count > before, WITHIN)
    assert scene.wrong == []


def test_the_leader_is_killed(scene):
    members = scene.members
    leader = until(members.leader, WITHIN)
    members.kill(leader)
    scene.move("B")
    members.start(leader)
    members.answering()
    scene.move("A")


def test_the_leader_is_parted_from_all(scene):
    members = scene.members
    leader = until(members.leader, WITHIN)
    members.cut(leader)
    scene.move("B")
    members.heal(leader)
    members.answering()
    scene.move("A")


def test_a_rolling_restart(scene):
    members = scene.members
    for n, name in ((1, "B"), (2, "A"), (3, "B")):
        members.kill(n, signal.SIGTERM)
        scene.move(name)
        members.start(n)
        members.answering()


def test_without_a_quorum_all_stays_and_comes_back(scene):
    members = scene.members
    for n in (1, 2):
        members.kill(n)
    until(scene.stale, WITHIN, "it is said since when it is stale")
    scene.answers("A")
    for n in (1, 2):
        members.start(n)
    scene.move("B")
    until(lambda: not scene.stale(), WITHIN)


def test_what_was_missed_is_compacted(scene):
    members = scene.members
    for n in members.hosts:
        members.kill(n)
    until(scene.stale, WITHIN)
    # They come back where the ambassador cannot reach them until they have compacted.
    members.hub.run("ip", "addr", "del", f"{HUB}/24", "dev", "br0")
    for n in members.hosts:
        members.start(n)
    asked = members.hosts[1]

    def ctl(*words):
        done = asked.call(
            subprocess.run,
            ("etcdctl", "--endpoints", members.urls[0], "--command-timeout", "5s", *words),
            check=False,
            capture_output=True,
            text=True,
        )
        return done.stdout if done.returncode == 0 else None

    value = json.dumps({"schema": 1, "endpoints": [scene.servers["B"].url]})
    until(lambda: ctl("put", WORD, value), WITHIN)
    for _ in range(3):
        ctl("put", WORD, value)
    revision = json.loads(ctl("get", WORD, "-w", "json"))["header"]["revision"]
    assert ctl("compact", str(revision)) is not None
    members.hub.run("ip", "addr", "add", f"{HUB}/24", "dev", "br0")
    scene.answers("B")


def test_the_quota_is_used_up(scene):
    members = scene.members
    filler = "x" * (1 << 20)
    for n in range(40):
        if members.ctl("put", f"/filler/{n % 4}", stdin=filler) is None:
            break
    assert "NOSPACE" in members.ctl("alarm", "list")
    scene.answers("A")
    revision = json.loads(members.ctl("get", WORD, "-w", "json"))["header"]["revision"]
    members.ctl("compact", str(revision))
    for n in members.hosts:
        members.ctl("defrag", of=[n])
    members.ctl("alarm", "disarm")
    scene.move("B")
    members.ctl("del", "--prefix", "/filler/")
