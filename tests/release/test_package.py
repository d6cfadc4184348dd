"""The package on a clean Debian host: installed, upgraded under load, removed, purged."""

import inspect
import json
import platform
import shutil
import subprocess
import sys

import pytest

from release import source
from tests.docker.bed.command import CommandError
from tests.netns import Namespace
from tests.recipes import lines
from tests.scenario.upgrading import connections
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
# Two services at the addresses of docs/deploy.md; each says which it is.
SERVICES = """
import socket, threading
def serve(listener, name):
    while True:
        with listener.accept()[0] as sock: sock.sendall(name)
for name, address in ((b"old", "192.168.1.52"), (b"new", "192.168.1.99")):
    listener = socket.create_server((address, 6379))
    threading.Thread(target=serve, args=(listener, name)).start()
print("begun", flush=True)
"""
ASK = """
import socket
with socket.create_connection(("127.0.0.1", 6379), 10) as sock: print(sock.recv(3).decode())
"""
# How many connections the process has whose number is the first argument.
CONNECTIONS = f"""
import contextlib, sys
from pathlib import Path
{inspect.getsource(connections)}
print(connections(int(sys.argv[1])))
"""
# New connections alone: none may be refused, one that is open at a kill may end with it.
FRESH = """
import contextlib, pathlib, socket
print("begun", flush=True)
while not pathlib.Path("/tmp/enough").exists():
    with socket.create_connection(("127.0.0.1", 6379), 10) as sock:
        with contextlib.suppress(ConnectionResetError): assert sock.recv(3) in (b"old", b"")
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


def killed(host):
    """Kill the service as the kernel would, and wait for the next one; say that it is enough."""
    pid = main_pid(host)
    host.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "ambassador")
    until(lambda: main_pid(host) not in (pid, "0\n"), 20, "systemd starts another")
    until(lambda: "db" in host.run("ambassador", "status", ok=None).stdout, 20, "it serves")
    host.run("touch", "/tmp/enough")


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
    # Killed, it loses no session and refuses nobody.
    host.run("rm", "/tmp/enough")
    load = host.start("python3", "-c", LOAD)
    assert load.stdout.readline() == "begun\n"
    pid = main_pid(host).strip()
    until(
        lambda: host.run("python3", "-c", CONNECTIONS, pid).stdout == "0\n", 30, "workers have all"
    )
    killed(host)
    assert json.loads(load.stdout.read())["count"] > 0
    assert load.wait(30) == 0
    assert ": taken back" in host.run("journalctl", "--no-pager").stdout
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


def asked(host):
    return host.run("python3", "-c", ASK).stdout.strip()


@pytest.fixture
def services(host):
    """Let another host have two services at the addresses of docs/deploy.md."""
    net = Namespace()
    inside = ("nsenter", "--target", str(host.pid), "--net", "ip")
    there = ("netns", str(host.pid), "type", "veth", "peer", "name", "eth0")
    net.run("ip", "link", "add", "far", *there)
    for ip, device, *addresses in (
        (inside, "far", "192.168.1.1/24"),
        (("ip",), "eth0", "192.168.1.52/24", "192.168.1.99/24"),
    ):
        for address in addresses:
            net.run(*ip, "address", "add", address, "dev", device)
        net.run(*ip, "link", "set", device, "up")
    process = net.start(sys.executable, "-c", SERVICES, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    yield
    net.run(*inside, "link", "delete", "far")  # the kernel ends a namespace some time later
    net.close()
    process.stdout.close()


def install_for_unit(host, made):
    """Do what the first line of the recipe does, and lay the files of the checkout beside."""
    host.run("python3", "-m", "venv", "--without-pip", "/opt/ambassador")
    (site,) = (host.root / "opt/ambassador/lib").glob("python3*/site-packages")
    shutil.copytree(made.site, site, dirs_exist_ok=True)
    program = host.root / "opt/ambassador/bin/ambassador"
    program.write_text("#!/opt/ambassador/bin/python3\nfrom ambassador.cli import main\nmain()\n")
    program.chmod(0o755)
    shutil.copytree(source.ROOT / "deploy", host.root / "root/deploy", dirs_exist_ok=True)


@pytest.mark.usefixtures("services")
def test_each_line_of_the_recipe_with_the_unit_does_what_the_page_says(host, made):
    install, *begin, status, move, restart = lines("systemd")
    assert install.startswith("python3 -m venv /opt/ambassador && ")
    install_for_unit(host, made)
    for line in begin:
        done = host.run("sh", "-ec", f"cd /root; {line}", ok=None)
        said = host.run("journalctl", "--no-pager", "--lines=20", ok=None).stdout
        assert done.returncode == 0, (line, done.stderr, said)
    done = host.run("sh", "-ec", status, ok=None)
    said = host.run("journalctl", "--no-pager", "--lines=40", ok=None).stdout
    assert "192.168.1.52:6379" in done.stdout, (done.stderr, said)
    assert asked(host) == "old"
    pid = main_pid(host)
    user = host.run("ps", "-o", "user=", "-p", pid.strip()).stdout.strip()
    assert user not in ("", "root")
    host.run("sh", "-ec", move)
    assert asked(host) == "new"
    # Its successor begins with what the file says; the port is open all the while.
    host.run("systemctl", "stop", "ambassador.service")
    waiting = host.start("python3", "-c", ASK)
    host.run("sh", "-ec", restart)
    assert waiting.stdout.read() == "old\n"
    assert main_pid(host) != pid
    host.run("systemctl", "disable", "--now", "ambassador.socket", "ambassador.service")


@pytest.mark.usefixtures("services")
def test_with_the_unit_alone_a_kill_refuses_nobody(host, made):
    _, *begin = lines("systemd")
    install_for_unit(host, made)
    for line in begin[: begin.index("systemctl daemon-reload") + 1]:  # no socket unit listens
        host.run("sh", "-ec", f"cd /root; {line}")
    host.run("rm", "-f", "/tmp/enough")
    host.run("systemctl", "start", "ambassador.service")
    load = host.start("python3", "-c", FRESH)
    assert load.stdout.readline() == "begun\n"
    pid = main_pid(host)
    host.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "ambassador")
    until(lambda: main_pid(host) not in (pid, "0\n"), 20, "systemd starts another")
    until(lambda: asked(host) == "old", 20, "it serves")
    host.run("touch", "/tmp/enough")
    assert load.wait(30) == 0
    host.run("systemctl", "stop", "ambassador.service")
    with pytest.raises(CommandError):
        asked(host)
