"""The package on a clean Debian host: installed, upgraded under load, removed, purged."""

import json
import platform
import shutil

import pytest

from release import source
from tests.wait import until

from .host import Host

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(600),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the parts are those of x86_64"),
]

ECHO = """
import socket, threading
def serve(sock):
    while data := sock.recv(4096): sock.sendall(data)
listener = socket.create_server(("127.0.0.1", 7000))
while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
# New connections all the while, and one that is kept, until a file is there.
LOAD = """
import json, pathlib, socket
def ask(sock):
    sock.sendall(b"question")
    assert sock.recv(8, socket.MSG_WAITALL) == b"question"
kept, count = socket.create_connection(("127.0.0.1", 6379), 10), 0
print("begun", flush=True)
while not pathlib.Path("/tmp/enough").exists():
    with socket.create_connection(("127.0.0.1", 6379), 10) as sock: ask(sock)
    count += 1
ask(kept)
print(json.dumps({"count": count}))
"""
ROUTE = '[route.db]\nlisten = 6379\nendpoints = ["tcp://127.0.0.1:7000"]\n'


@pytest.fixture(scope="module")
def host(host_files, made):
    # Not under /tmp, which may be mounted nodev.
    folder = source.ROOT / ".cache" / "host"
    shutil.rmtree(folder, ignore_errors=True)
    host = Host(host_files, folder)
    try:
        for package in (made.before, made.package):
            shutil.copy(package, host.root / "root")
        host.start("python3", "-c", ECHO)
        yield host
    finally:
        host.close()


def main_pid(host):
    return host.run("systemctl", "show", "--property=MainPID", "--value", "ambassador").stdout


def test_the_life_of_the_package(host, made):
    # Installed, it says how it begins, and does not run in vain.
    said = host.run("dpkg", "--install", f"/root/{made.before.name}").stdout
    assert "no route yet" in said
    assert host.run("systemctl", "is-active", "ambassador", ok=None).stdout == "inactive\n"
    assert host.run("systemctl", "is-enabled", "ambassador").stdout == "enabled\n"
    # The first route starts it, as its own user.
    conffile = host.root / "etc/ambassador/ambassador.toml"
    conffile.write_text(ROUTE)
    host.run("systemctl", "start", "ambassador")
    assert "db" in host.run("ambassador", "status").stdout
    pid = main_pid(host)
    assert host.run("ps", "-o", "user=", "-p", pid.strip()).stdout.strip() == "ambassador"
    # An upgrade under load: the same service, another process, nobody refused, none cut.
    load = host.start("python3", "-c", LOAD)
    assert load.stdout.readline() == "begun\n"
    host.run("dpkg", "--install", "--force-confold", f"/root/{made.package.name}")
    assert main_pid(host) != pid
    assert conffile.read_text() == ROUTE
    host.run("touch", "/tmp/enough")
    assert json.loads(load.stdout.read())["count"] > 0
    assert load.wait(30) == 0
    until(
        lambda: host.run("ps", "-p", pid.strip(), ok=None).returncode == 1, 15, "the old one ends"
    )
    # A restart goes on with the new files.
    host.run("systemctl", "restart", "ambassador")
    assert "db" in host.run("ambassador", "status").stdout
    # Removed: the service ends, what was configured stays; purged: nothing is left.
    host.run("dpkg", "--remove", "ambassador")
    assert host.run("systemctl", "is-active", "ambassador", ok=None).returncode != 0
    assert conffile.read_text() == ROUTE
    host.run("dpkg", "--purge", "ambassador")
    left = ("etc/ambassador", "etc/default/ambassador", "usr/lib/ambassador", "var/lib/ambassador")
    assert not [place for place in left if (host.root / place).exists()]
