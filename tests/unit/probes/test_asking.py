"""What each probe makes of real programs, and of bytes that a program rarely says."""

import contextlib
import http.server
import shutil
import socket
import struct
import subprocess
import threading
from pathlib import Path

import pytest

from ambassador.demo.valkey import find_program
from ambassador.model import Endpoint, Inet, Unix
from ambassador.probes.asking import NoAnswerError, ask, host_of, places
from ambassador.probes.table import TABLE, probe_of
from ambassador.spec.health import PROBES
from tests.looping import Looping
from tests.names import StaticResolver
from tests.ports import free_port
from tests.wait import until


@pytest.fixture
def looping():
    looping = Looping()
    yield looping
    looping.close()


@pytest.fixture
def verdict(looping):
    """Return why the program at a port does not work, nothing when it does."""

    def asking(health, port, limit=5.0):
        place = (socket.AF_INET, ("127.0.0.1", port)) if isinstance(port, int) else port
        try:
            looping.do(ask(probe_of(health), place, "localhost", limit))
        except NoAnswerError as error:
            return str(error)
        return ""

    return asking


@contextlib.contextmanager
def running(*command, **options):
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def saying(data, hear=1):
    """Listen; say `data` to each client once it has said something, and close."""
    stop = threading.Event()

    def work():
        while not stop.is_set():
            with contextlib.suppress(OSError):
                client, _ = listener.accept()
                with client:
                    client.settimeout(5)
                    if hear:
                        client.recv(1000)
                    client.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def test_tcp_wants_a_connection(verdict, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert verdict("tcp", listener.getsockname()[1]) == ""
    assert verdict("", free_port()) == "connection refused"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        assert verdict("tcp", (socket.AF_UNIX, str(tmp_path / "s"))) == ""


@pytest.mark.parametrize("more", [(), ("--requirepass", "secret")])
def test_a_redis_works_with_and_without_a_password(verdict, tmp_path, more):
    port = free_port()
    command = (find_program(), "--port", str(port), "--save", "", "--dir", str(tmp_path), *more)
    with running(*command):
        until(lambda: verdict("redis", port) == "", 10)
    assert verdict("redis", port) == "connection refused"


def test_a_replica_without_its_primary_that_must_not_serve_old_data_is_no_health(verdict, tmp_path):
    port = free_port()
    command = (find_program(), "--port", str(port), "--save", "", "--dir", str(tmp_path))
    replica = ("--replicaof", f"127.0.0.1 {free_port()}", "--replica-serve-stale-data", "no")
    with running(*command, *replica):
        until(lambda: "refused" not in verdict("redis", port), 10)
        assert "MASTERDOWN" in verdict("redis", port)


def test_a_postgres_works(verdict, tmp_path):
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not folders or not shutil.which("setpriv"):
        pytest.skip("needs PostgreSQL")
    port, data = free_port(), tmp_path / "data"
    data.mkdir()
    shutil.chown(data, "nobody")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    as_nobody = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
    initdb = folders[-1].with_name("initdb")
    (tmp_path / "password").write_text("secret\n")
    options = ("--no-sync", "--auth=scram-sha-256", f"--pwfile={tmp_path}/password")
    subprocess.run(
        [*as_nobody, str(initdb), *options, "-D", str(data)],
        capture_output=True,
        check=True,
        timeout=60,
    )
    command = (str(folders[-1]), "-D", str(data), "-p", str(port), "-k", str(data))
    with running(*as_nobody, *command) as process:
        until(lambda: verdict("postgres", port) == "", 20)
        process.terminate()
        process.wait(20)
    assert verdict("postgres", port) == "connection refused"


def error(code, text):
    fields = b"SFATAL\0C" + code + b"\0M" + text + b"\0\0"
    return b"E" + struct.pack("!I", len(fields) + 4) + fields


def test_a_postgres_that_starts_up_is_no_health_one_that_knows_no_such_user_is(verdict):
    with saying(error(b"57P03", b"the database system is starting up")) as port:
        assert verdict("postgres", port) == "the database system is starting up"
    with saying(error(b"28000", b'role "ambassador" does not exist')) as port:
        assert verdict("postgres", port) == ""


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = {"/": 200, "/moved": 302, "/healthz": 204, "/sick": 503}
        self.send_response(known.get(self.path, 404))
        assert self.headers["Host"] == "localhost"
        self.end_headers()

    def log_message(self, *_):
        pass


def test_http_wants_a_status_below_400(verdict):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as site:
        threading.Thread(target=site.serve_forever, args=(0.05,)).start()
        try:
            port = site.server_address[1]
            for good in ("http", "http:/healthz", "http:/moved"):
                assert verdict(good, port) == ""
            assert verdict("http:/sick", port) == "answers GET /sick with 503"
            assert verdict("http:/nowhere", port) == "answers GET /nowhere with 404"
            assert "-ERR" in verdict("redis", port) or verdict("redis", port)
        finally:
            site.shutdown()


@pytest.mark.parametrize(
    ("health", "said", "why"),
    [
        ("redis", b"-LOADING Redis is loading the dataset in memory\r\n", "LOADING"),
        ("redis", b"-NOAUTH Authentication required.\r\n", ""),
        ("redis", b"+PONG", "ends before it has answered"),
        ("redis", b"x" * 100_000, "answers without end"),
        ("redis", b"HTTP/1.1 400 Bad Request\r\n", "answers PING with 'HTTP"),
        ("memcached", b"VERSION 1.6.21\r\n", ""),
        ("memcached", b"ERROR\r\n", "answers version with 'ERROR'"),
        ("http", b"HTTP/1.0 200 OK\r\n\r\n", ""),
        ("http", b"+PONG\r\n", "does not answer in HTTP/1.1"),
        ("http", b"", "ends before it has answered"),
        ("postgres", b"R\0\0\0\x17\0\0\0\nSCRAM-SHA-256\0\0", ""),
        ("postgres", b"HTTP/1.1 400\r\n", "does not answer like PostgreSQL"),
        ("postgres", b"E", "ends before it has answered"),
        ("postgres", b"E\xff\xff\xff\xff" + b"x" * 9, "does not answer like PostgreSQL"),
    ],
)
def test_what_others_say(verdict, health, said, why):
    with saying(said) as port:
        assert why in verdict(health, port)
        assert bool(why) == bool(verdict(health, port))


def test_bytes_may_come_one_by_one():
    for health, whole in (("redis", b"+PONG\r\n"), ("http", b"HTTP/1.1 200 OK\r\n")):
        probe = probe_of(health)
        first = next(n for n in range(len(whole) + 1) if probe.judge(whole[:n]) is not None)
        assert first == len(whole)
        assert probe.judge(whole) == ""


def test_one_that_accepts_and_says_nothing_has_not_answered(verdict):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert verdict("redis", port, 0.1) == "no answer within 0.1 s"
        assert verdict("tcp", port, 0.1) == ""


def test_of_a_name_every_address_and_of_a_range_both_ends(looping):
    resolver = StaticResolver(db=("10.0.0.1", "fd00::1"))
    found = looping.do(places(Endpoint(Inet("db", 5, 9)), resolver))
    assert found == [
        (socket.AF_INET, ("10.0.0.1", 5)),
        (socket.AF_INET, ("10.0.0.1", 9)),
        (socket.AF_INET6, ("fd00::1", 5)),
        (socket.AF_INET6, ("fd00::1", 9)),
    ]
    assert looping.do(places(Endpoint(Unix("/s")), resolver)) == [(socket.AF_UNIX, "/s")]
    assert (host_of(Endpoint(Inet("db", 5))), host_of(Endpoint(Unix("/s")))) == ("db", "")


def test_every_probe_has_a_word_of_the_grammar():
    assert set(TABLE) == set(PROBES)
