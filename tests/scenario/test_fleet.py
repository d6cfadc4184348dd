"""A fleet of real programs on a real etcd: moved by one word, told when they cannot, never lost."""

import json
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack

import pytest

from ambassador.admin import client
from ambassador.core.commands import Reload, Status
from tests.answering import Named
from tests.etcd import Member, etcd, newer
from tests.ports import free_port
from tests.program import COMMAND, Program, clean_environ
from tests.wait import until

WITHIN = 20.0


def answer(port):
    """Return who answers at `port`; None where the connection was reset or refused."""
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as sock:
            return sock.recv(10).decode() or None
    except OSError:
        return None


class Load:
    """Connects again and again, as fast as it is answered; `wrong` has what was no good answer."""

    def __init__(self, ports, good=("A", "B")):
        self.wrong, self.count = [], 0
        self._good, self._ports, self._over = good, ports, threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def _work(self):
        while not self._over.is_set():
            for port in self._ports:
                found = answer(port)
                self.count += 1
                if found not in self._good:
                    self.wrong.append(found)
            self._over.wait(0.002)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join(WITHIN)


class Fleet:
    def __init__(self, member, folder, count=3, **more):
        self.member, self.folder, self._stack = member, folder, ExitStack()
        self.ports = [free_port() for _ in range(count)]
        self.admins = [folder / f"a{n}.sock" for n in range(count)]
        self.programs = [
            self._stack.enter_context(
                Program(
                    f"S_PORT_{port}_TCP=etcd://s",
                    AMBASSADOR_ADMIN=str(admin),
                    AMBASSADOR_ETCD=member.url,
                    AMBASSADOR_WORKERS="0",
                    **more,
                )
            )
            for port, admin in zip(self.ports, self.admins, strict=True)
        ]
        for program in self.programs:
            program.wait_for("ready", WITHIN)
        until(lambda: len(member.get("/ambassador/applied/s/")) >= count, WITHIN)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def verb(self, *words, code=0):
        done = run(self.member.url, "fleet", *words)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def answers(self):
        return [answer(port) for port in self.ports]

    def source(self, n=0):
        view = client.ask(self.admins[n], Status())
        return next((one for one in view.sources if one.name == "etcd"), None)


def run(url, *words, **more):
    return subprocess.run(
        (*COMMAND, *words),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environ(**{"AMBASSADOR_ETCD": url, **more}),
    )


@pytest.fixture(scope="module")
def servers():
    found = Named("A"), Named("B")
    yield found
    for one in found:
        one.close()


@pytest.fixture(scope="module")
def member():
    with etcd() as found:
        yield found


@pytest.fixture(scope="module")
def fleet(member, servers, tmp_path_factory):
    member.put("/ambassador/services/s/word", {"schema": 1, "endpoints": [servers[0].url]})
    with Fleet(member, tmp_path_factory.mktemp("fleet")) as found:
        yield found


def test_one_word_moves_all_and_nobody_is_refused(fleet, servers):
    a, b = servers
    until(lambda: fleet.answers() == ["A"] * 3, WITHIN)
    with Load(fleet.ports) as load:
        done = fleet.verb("move", "s", b.url)
        assert fleet.answers() == ["B"] * 3
        fleet.verb("move", "s", a.url, "--hold", "--canary", "30%", "--wait", "200ms")
        assert fleet.answers() == ["A"] * 3
    assert (load.wrong, load.count > 10) == ([], True)
    assert f"s leads to {b.url} at 3 ambassadors, in" in done.stdout
    assert "3 applied, 0 waiting, 0 refused" in done.stderr


def test_a_move_that_cannot_be_verified_is_taken_back_and_the_reason_is_told(fleet, servers):
    nowhere = f"tcp://127.0.0.1:{free_port()}"
    before = fleet.answers()
    with Load(fleet.ports) as load:
        done = fleet.verb("move", "s", nowhere, code=5)
        assert "taken back for all" in done.stderr
        assert "does not answer: connection refused" in done.stderr
        done = fleet.verb("move", "s", nowhere, "--abort", "100%", "--timeout", "500ms", code=1)
        assert "but not at 3 of 3" in done.stderr
        assert before == fleet.answers()
        fleet.verb("undo", "s")
    assert load.wrong == []
    history = json.loads(fleet.verb("history", "s", "--json").stdout)
    assert [one["what"] for one in history[:3]] == [
        f"undo {int(history[0]['number']) - 1}",
        "move",
        f"abort {int(history[2]['number']) - 1}",
    ]


def test_status_shows_where_each_is(fleet):
    found = json.loads(fleet.verb("status", "s", "--json").stdout)["s"]
    assert len(found["followed"]) == 3
    assert {one["state"] for one in found["followed"].values()} == {"applied"}
    assert "FOLLOWED" in fleet.verb("status").stdout
    assert "AMBASSADOR" in fleet.verb("status", "s").stdout


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("move", "nothing", "tcp://127.0.0.1:1"), 3, "no ambassador follows nothing"),
        (("move", "s", "tcp://127.0.0.1:1", "--canary", "0%"), 2, "would move no ambassador first"),
        (("move", "s", "tcp://127.0.0.1:1", "--canary", "5"), 2, "--canary: is no share"),
        (("move", "s", "tcp://127.0.0.1:1", "--abort", "200%"), 2, "--abort: is no share"),
        (("move", "s", "tcp://127.0.0.1"), 2, "the port is missing"),
        (("move", "s/x", "tcp://127.0.0.1:1"), 2, "is not a name of a service"),
        (("move", "s", "tcp://127.0.0.1:1", "--existing", "gone"), 2, "--existing"),
        (("undo", "nothing"), 3, "there is no move of nothing"),
    ],
)
def test_what_makes_no_sense_is_told_with_an_exit_code(fleet, words, code, text):
    assert text in fleet.verb(*words, code=code).stderr


def test_a_key_that_makes_no_sense_is_passed_over_and_shown(fleet, member):
    key, before = "/ambassador/services/s/word", fleet.answers()
    good = member.get(key)[key]
    for text in ("no json", '{"schema":2,"endpoints":[]}', '{"schema":1,"endpoints":"x"}'):
        member.put(key, text)
        until(lambda: (found := fleet.source()) and key in found.error, WITHIN)
        assert fleet.answers() == before
    member.put(key, good)
    until(lambda: not ((found := fleet.source()) and found.error), WITHIN)


def test_an_announced_endpoint_comes_and_goes_with_its_announcer(member, servers, tmp_path):
    a, _ = servers
    port = free_port()
    program = Program(f"T_PORT_{port}_TCP=etcd://t", AMBASSADOR_ETCD=member.url)
    with program:
        program.wait_for("ready", WITHIN)
        words = ("announce", "t", a.url, "--ttl", "2s")
        environ = clean_environ(AMBASSADOR_ETCD=member.url)
        for number in (signal.SIGTERM, signal.SIGKILL):
            process = subprocess.Popen((*COMMAND, *words), env=environ, stderr=-3)
            try:
                until(lambda: member.get("/ambassador/services/t/announced/"), WITHIN)
                assert answer(port) == "A"
                process.send_signal(number)
                assert process.wait(WITHIN) == (0 if number == signal.SIGTERM else -9)
                until(lambda: not member.get("/ambassador/services/t/announced/"), WITHIN)
            finally:
                process.kill()
                process.wait()
        for more, code, text in (
            (("--ttl", "0"), 2, "--ttl"),
            (("--health", "redis-primry"), 2, 'did you mean "redis-primary"'),
        ):
            done = run(member.url, "announce", "t", a.url, *more)
            assert (done.returncode, text in done.stderr) == (code, True), done.stderr
        member.put("/ambassador/services/t/announced/x", {"schema": 1, "endpoint": "udp://h:1"})
        done = run(member.url, "announce", "t", a.url)
        assert (done.returncode, "t is announced as udp already" in done.stderr) == (4, True)
        member.ctl("del", "/ambassador/services/t/announced/x")


def test_run_announces_what_its_route_leads_to_while_that_works(member, servers):
    gone = Named("C")
    with Program(
        f"U_PORT_{free_port()}_TCP={gone.url}",
        AMBASSADOR_ETCD=member.url,
        AMBASSADOR_ANNOUNCE="u=tcp://10.0.0.5:6379",
    ) as program:
        program.wait_for("announced", WITHIN)
        (found,) = member.get("/ambassador/services/u/announced/").values()
        assert found["endpoint"] == "tcp://10.0.0.5:6379"
        assert program.stop() == 0
        assert member.get("/ambassador/services/u/announced/") == {}
    gone.close()


def test_whole_routes_come_and_go_and_only_what_is_allowed_is_taken(member, servers, tmp_path):
    a, b = servers
    ports = [free_port() for _ in range(3)]

    def route(port, url):
        return {"schema": 1, "listen": f"127.0.0.1:{port}", "endpoints": [url]}

    member.put("/f/routes/one", route(ports[0], a.url))
    member.put("/f/routes/bad", "no json")
    admin = tmp_path / "a.sock"
    with Program(
        f"OWN_PORT_{free_port()}_TCP={a.url}",
        AMBASSADOR_ETCD=member.url,
        AMBASSADOR_FLEET="/f",
        AMBASSADOR_FLEET_ALLOW="one,two,127.0.0.0/8",
        AMBASSADOR_ADMIN=str(admin),
    ) as program:
        program.wait_for("ready", WITHIN)
        assert answer(ports[0]) == "A"
        member.put("/f/routes/two", route(ports[1], b.url))
        member.put("/f/routes/three", route(ports[2], b.url))
        until(lambda: answer(ports[1]) == "B", WITHIN)
        member.put("/f/services/one/word", {"schema": 1, "endpoints": ["tcp://10.0.0.1:1"]})

        def errors():
            view = client.ask(admin, Status())
            return next(one for one in view.sources if one.name == "etcd").error

        until(lambda: "outside of the networks that are allowed" in errors(), WITHIN)
        assert '"three" is not allowed here' in errors()
        assert answer(ports[0]) == "A"
        assert answer(ports[2]) is None
        member.put("/f/services/one/word", {"schema": 1, "endpoints": [b.url]})
        until(lambda: answer(ports[0]) == "B", WITHIN)
        member.ctl("del", "/f/routes/two")
        until(lambda: answer(ports[1]) is None, WITHIN)
        member.ctl("del", "--prefix", "/f/")
        until(lambda: "everything in etcd is gone" in errors(), WITHIN)
        assert answer(ports[0]) == "B"
        client.ask(admin, Reload())
        until(lambda: answer(ports[0]) is None, WITHIN)
        assert "everything in etcd is gone" not in errors()


@pytest.mark.parametrize("program", ["Debian's", "a newer one"])
def test_etcd_is_killed_and_comes_back_and_no_client_sees_it(program, servers, tmp_path):
    a, b = servers
    path = newer() if program == "a newer one" else None
    member = Member(tmp_path, program=path).start()
    try:
        member.put("/ambassador/services/s/word", {"schema": 1, "endpoints": [a.url]})
        with Fleet(member, tmp_path, 1) as fleet, Load(fleet.ports) as load:
            until(lambda: load.count > 5, WITHIN)
            member.kill()
            until(lambda: (found := fleet.source()) and found.stale, WITHIN)
            assert "etcd" in fleet.source().name
            assert fleet.answers() == ["A"]
            member.start()
            until(lambda: not ((found := fleet.source()) and found.stale), WITHIN)
            fleet.verb("move", "s", b.url)
            assert fleet.answers() == ["B"]
        assert load.wrong == []
    finally:
        member.stop()


@pytest.mark.parametrize(
    ("environ", "code", "text"),
    [
        ({"AMBASSADOR_ETCD": "http://127.0.0.1:1"}, 1, "connection refused"),
        ({"AMBASSADOR_ETCD": ""}, 2, "AMBASSADOR_ETCD: is not set"),
        ({"AMBASSADOR_FLEET": "/none"}, 2, "etcd has no routes or services under /none/"),
        ({"AMBASSADOR_FLEET": "none"}, 2, "is not a prefix of keys"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "check"])
def test_what_is_wrong_at_the_start_is_told_with_an_exit_code(member, environ, code, text, verb):
    words = (verb, f"S_PORT_{free_port()}_TCP=etcd://s")
    done = run(member.url, *words, **{"AMBASSADOR_ADMIN": "off", **environ})
    assert (done.returncode, text in done.stderr) == (code, True), done.stderr


def test_a_plain_ambassador_imports_nothing_of_it():
    code = (
        "import sys, ambassador.cli.run\n"
        "print([name for name in sys.modules if name.startswith(('ambassador.fleet', 'h11'))])"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
