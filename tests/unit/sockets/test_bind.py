import errno
import os
import re
import resource
import socket
import subprocess
import sys

import pytest

from ambassador.errors import PlaneError
from ambassador.model import Inet, Proto, Unix
from ambassador.sockets.bind import bind, close_listener, explain, somaxconn
from tests.ports import free_port


@pytest.fixture
def bound():
    """Bind for the length of a test."""
    sockets = []

    def binding(proto, address, backlog=128):
        sockets.append(bind(proto, address, backlog))
        return sockets[-1]

    yield binding
    for sock in sockets:
        close_listener(sock)


@pytest.mark.parametrize("host", ["", "::"])
@pytest.mark.parametrize("proto", list(Proto))
def test_all_addresses_are_one_dual_stack_socket_that_never_blocks(bound, proto, host):
    sock = bound(proto, Inet(host, free_port()))
    assert sock.family == socket.AF_INET6
    assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 0
    assert not sock.getblocking()


@pytest.mark.parametrize(
    ("host", "family"),
    [
        ("0.0.0.0", socket.AF_INET),
        ("127.0.0.1", socket.AF_INET),
        ("::1", socket.AF_INET6),
    ],
)
def test_one_address_is_that_address(bound, host, family):
    port = free_port()
    sock = bound(Proto.TCP, Inet(host, port))
    assert sock.family == family
    assert sock.getsockname()[:2] == (host, port)


def test_a_datagram_socket_asks_for_a_large_buffer(bound):
    sock = bound(Proto.UDP, Inet("", free_port()))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        usual = plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) > usual


@pytest.mark.parametrize("proto", list(Proto))
def test_a_taken_port_says_how_to_find_who_has_it(bound, proto):
    port = free_port()
    bound(proto, Inet("127.0.0.1", port))
    with pytest.raises(PlaneError) as caught:
        bind(proto, Inet("127.0.0.1", port), 128)
    kind = "t" if proto is Proto.TCP else "u"
    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1:{port} ({proto}): address already in use; "
        f"find who has it with: ss -ln{kind}p 'sport = :{port}'"
    )


def test_a_port_in_time_wait_is_not_taken(bound):
    port = free_port()
    listening = bound(Proto.TCP, Inet("127.0.0.1", port))
    with socket.create_connection(("127.0.0.1", port)) as client:
        accepted, _ = listening.accept()
        accepted.close()  # first to close: its side keeps TIME_WAIT
        assert client.recv(1) == b""
    close_listener(listening)
    bound(Proto.TCP, Inet("127.0.0.1", port))


def test_an_address_this_host_lacks_says_so():
    with pytest.raises(PlaneError, match="this host does not have that address"):
        bind(Proto.TCP, Inet("198.51.100.7", free_port()), 128)


@pytest.mark.root
def test_a_port_without_the_right_to_it_says_what_can_be_done():
    script = (
        "import os; from ambassador.model import Inet, Proto\n"
        "from ambassador.sockets.bind import bind\n"
        "from ambassador.errors import PlaneError\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: bind(Proto.TCP, Inet('', 80), 128)\n"
        "except PlaneError as error: print(error)\n"
    )
    command = ["unshare", "--net", sys.executable, "-c", script]
    said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    assert said.startswith("cannot listen on :80 (tcp): permission denied; user 65534 may bind")
    assert "ports from 1024 up" in said
    assert "_LISTEN=:8080" in said
    assert "docker run --user 0 --cap-add NET_BIND_SERVICE" in said
    assert "sysctl -w net.ipv4.ip_unprivileged_port_start=80, on the host" in said
    assert "--sysctl" not in said  # refused with --network host


@pytest.mark.parametrize(
    ("host", "example"), [("", ":8080"), ("127.0.0.1", "127.0.0.1:8080"), ("::1", "[::1]:8080")]
)
def test_the_port_to_choose_instead_stands_at_the_same_host_in_its_own_setting(host, example):
    error = PermissionError(errno.EACCES, "Permission denied")
    said = explain(error, Proto.TCP, Inet(host, 80), "AMBASSADOR_METRICS=")
    assert f"such a port with AMBASSADOR_METRICS={example}, or" in said


def test_a_unix_path_of_a_living_process_is_taken(bound, tmp_path):
    path = str(tmp_path / "socket")
    bound(Proto.TCP, Unix(path))
    with pytest.raises(PlaneError, match="another process listens there"):
        bind(Proto.TCP, Unix(path), 128)


def test_a_unix_path_with_a_full_backlog_is_taken_all_the_same(bound, tmp_path):
    path = str(tmp_path / "socket")
    bound(Proto.TCP, Unix(path), backlog=0)
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.connect(path)
        with pytest.raises(PlaneError, match="another process listens there"):
            bind(Proto.TCP, Unix(path), 128)


def test_a_file_that_is_no_socket_is_never_removed(tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(PlaneError, match="a file that is not a socket stands there"):
        bind(Proto.TCP, Unix(str(path)), 128)
    assert path.read_text() == "data"


def test_a_unix_path_without_its_folder_says_so(tmp_path):
    with pytest.raises(PlaneError, match="no such file or directory"):
        bind(Proto.TCP, Unix(str(tmp_path / "none" / "socket")), 128)


def test_a_closed_listener_may_be_closed_again(tmp_path):
    path = tmp_path / "socket"
    sock = bind(Proto.TCP, Unix(str(path)), 128)
    close_listener(sock)
    assert not path.exists()
    path.write_text("somebody else's")
    close_listener(sock)
    assert path.exists()


def test_a_path_that_another_process_has_taken_since_is_left_to_it(tmp_path):
    path = tmp_path / "socket"
    first = bind(Proto.TCP, Unix(str(path)), 128)
    path.rename(tmp_path / "old")
    second = bind(Proto.TCP, Unix(str(path)), 128)
    close_listener(first)
    assert path.is_socket()
    close_listener(second)
    assert not path.exists()


def test_somaxconn_is_what_the_kernel_says():
    with os.popen("cat /proc/sys/net/core/somaxconn") as said:
        assert somaxconn() == int(said.read())


def test_more_ports_than_descriptors_is_told_with_what_to_allow():
    error = OSError(errno.EMFILE, "Too many open files")
    said = explain(error, Proto.UDP, Inet("", 7000), "..._LISTEN=")
    assert said.startswith("too many open files; ")
    assert "--ulimit nofile=" in said
    (allowed, _), wanted = resource.getrlimit(resource.RLIMIT_NOFILE), 20_000
    said = explain(error, Proto.UDP, Inet("", 7000), "..._LISTEN=", wanted)
    (enough,) = re.findall(r"LimitNOFILE=(\d+)", said)
    assert int(enough) >= min(allowed + 2 * wanted, 1 << 20)
