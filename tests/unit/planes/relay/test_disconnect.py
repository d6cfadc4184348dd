"""Connections of a process that stands still."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from ambassador.planes.relay.disconnect import disconnect, inode


@pytest.fixture
def still():
    """Start a process that has a descriptor, and stop it."""
    processes = []

    def start(sock):
        process = subprocess.Popen(
            [sys.executable, "-c", "print(flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[sock.fileno()],
        )
        processes.append(process)
        process.stdout.read(1)
        process.send_signal(signal.SIGSTOP)
        return process.pid

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.root
def test_a_connection_is_reset_and_others_of_the_process_are_not(still):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname(), timeout=5)
        ours, _ = listening.accept()
        os.set_inheritable(ours.fileno(), True)
        pid, number = still(ours), inode(ours.fileno())
        ours.close()
        disconnect(pid, {number + 10_000_000})
        client.sendall(b"nothing has happened")
        disconnect(pid, {number})
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        client.close()


@pytest.mark.root
def test_a_unix_socket_is_ended(still):
    client, ours = socket.socketpair()
    pid, number = still(ours), inode(ours.fileno())
    ours.close()
    disconnect(pid, {number})
    client.settimeout(5)
    assert client.recv(1) == b""
    client.close()


def test_a_process_that_is_gone_is_an_error(still):
    with pytest.raises(OSError):
        disconnect(2**22 + 1, {1})
