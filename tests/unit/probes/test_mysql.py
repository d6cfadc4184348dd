import shutil

import pytest

from ambassador.model import Endpoint, Inet
from ambassador.probes.exchange import NoAnswerError, ask
from ambassador.probes.mysql import MysqlProbe
from ambassador.probes.table import probe_of
from tests.answering import saying
from tests.loops import LoopThread
from tests.mariadb import bootstrap
from tests.netns import Network
from tests.program import with_etc
from tests.wait import until


@pytest.fixture
def network():
    network = Network()
    yield network
    network.close()


@pytest.fixture
def mariadb(network, tmp_path):
    """A MariaDB in the namespace `old`, which blocks a host after three of its errors."""
    if not shutil.which("mariadbd"):
        pytest.skip("needs MariaDB: ./dev test")
    options = bootstrap(tmp_path)
    (tmp_path / "first").write_text("create user guest@'%' identified by 'secret';\n")
    # It counts the errors of hosts whose names it knows.
    names, nobody = tmp_path / "hosts", tmp_path / "resolv.conf"
    names.write_text("10.77.0.3 client\n")
    nobody.write_text("")
    network.old.start(
        *with_etc(nobody, names),
        *("mariadbd", *options, "--port=3306", "--bind-address=0.0.0.0"),
        *(f"--socket={tmp_path}/sock", f"--pid-file={tmp_path}/pid", f"--log-error={tmp_path}/log"),
        *("--max-connect-errors=3", f"--init-file={tmp_path}/first"),
    )
    return "10.77.0.4"


@pytest.fixture
def loop(network):
    loop = LoopThread(network.client)
    yield loop
    loop.close()


def asked(loop, host, health="mysql"):
    try:
        loop.do(ask(probe_of(health), (2, (host, 3306)), Endpoint(Inet(host, 3306)), 5.0))
    except NoAnswerError as error:
        return str(error)
    return ""


@pytest.mark.root
@pytest.mark.timeout(120)
def test_a_mariadb_works_however_often_it_is_asked(loop, network, mariadb):
    until(lambda: asked(loop, mariadb) == "", 30)
    for _ in range(20):
        assert asked(loop, mariadb) == ""
    # one that reads the greeting and goes is such an error: the host is blocked, which is seen
    until(lambda: asked(loop, mariadb, "tcp") == "" and "blocked" in asked(loop, mariadb), 20)


def packet(number, content):
    return len(content).to_bytes(3, "little") + bytes([number]) + content


def error(number, code, text):
    return packet(number, b"\xff" + code.to_bytes(2, "little") + text)


GREETING = packet(0, b"\x0a8.4.0\0" + b"x" * 60)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (error(0, 1040, b"Too many connections"), "Too many connections"),
        (error(0, 1129, b"Host '10.0.0.1' is blocked"), "is blocked"),
        (error(0, 1130, b"Host is not allowed"), "Host is not allowed"),
        (GREETING + error(2, 1045, b"#28000Access denied"), ""),
        (GREETING + error(2, 1040, b"#08004Too many connections"), "Too many connections"),
        (GREETING + packet(2, b"\0\0\0\2\0\0\0"), ""),
        (GREETING + packet(2, b"\xfemysql_clear_password\0") + error(4, 1045, b"#28000no"), ""),
        (GREETING + packet(2, b"\xfex\0") + error(4, 3032, b"#HY000offline"), "offline"),
        (GREETING + packet(2, b"\x01\x04"), ""),
        (GREETING, "ends before it has answered"),
        (packet(0, b"\x093.20.0\0"), ""),
        (error(0, 1053, b""), "error 1053"),
        (b"HTTP/1.1 400\r\n", "does not speak like MySQL"),
        (packet(0, b"\x0b9.9\0"), "does not speak like MySQL"),
        (packet(0, b""), "does not speak like MySQL"),
    ],
)
def test_what_may_be_said(verdict, said, why):
    with saying(said, first=True) as port:
        found = verdict("mysql", port)
        assert why in found
        assert bool(why) == bool(found)


def test_what_it_answers():
    probe = MysqlProbe()
    assert probe.reply(GREETING[:-1]) == b""
    login = probe.reply(GREETING)
    assert (int.from_bytes(login[:3], "little"), login[3]) == (len(login) - 4, 1)
    assert b"ambassador\0\0mysql_native_password\0" in login
    more = probe.reply(GREETING + packet(2, b"\xfex\0"))
    assert more == login + packet(3, b"")
    assert probe.reply(error(0, 1040, b"no")) == b""
