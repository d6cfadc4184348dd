"""A child that is a copy of this process, without what is not for it."""

import errno
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from ambassador.planes.relay import forking


@pytest.fixture
def said():
    """A pipe: the end that a child writes to, and a function that reads all it has written."""
    ours, theirs = os.pipe()

    def read():
        os.close(theirs)
        with open(ours, "rb", closefd=False) as file:
            return file.read().decode()

    yield theirs, read
    os.close(ours)


def code(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_child_has_the_descriptors_it_is_given_and_no_others(said):
    out, read = said
    client, ours = socket.socketpair()
    with ours:
        pid = forking.fork([out], lambda: listed(out), title="a child")
    assert client.recv(1) == b""  # nobody has the other end any longer: so its end is felt
    client.close()
    assert set(read().split()) == {"0", "1", "2", str(out)}
    assert code(pid) == 0


def listed(out):
    os.write(out, " ".join(descriptors()).encode())


def test_it_is_shown_by_its_title_as_far_as_there_is_room(said):
    out, read = said
    before = Path("/proc/self/cmdline").read_bytes()
    pid = forking.fork([out], lambda: shown(out), title="ambassador worker 1")
    title = read().rstrip("\0")
    assert title
    assert "ambassador worker 1".startswith(title)
    assert code(pid) == 0
    assert Path("/proc/self/cmdline").read_bytes() == before  # its parent has its own


def shown(out):
    os.write(out, Path("/proc/self/cmdline").read_bytes())


def test_no_signal_of_its_parent_reaches_its_handlers(said):
    out, read = said
    woken, wakes = socket.socketpair()
    wakes.setblocking(False)
    woken.setblocking(False)
    heard = []
    before = signal.signal(signal.SIGUSR1, lambda *_: heard.append(1))
    fd = signal.set_wakeup_fd(wakes.fileno())
    try:
        pid = forking.fork([out], signal.pause, title="a child", ignored=[signal.SIGTERM])
        os.kill(pid, signal.SIGTERM)  # ignored
        os.kill(pid, signal.SIGUSR1)  # as for any program that has no handler
        assert code(pid) == -signal.SIGUSR1
        assert read() == ""
        assert heard == []
        with pytest.raises(BlockingIOError):
            woken.recv(1)
        assert signal.SIGUSR1 not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.set_wakeup_fd(fd)
        signal.signal(signal.SIGUSR1, before)
        woken.close()
        wakes.close()


def test_what_it_raises_is_told_and_its_exit_code_is_1(capfd):
    def wrong():
        raise ValueError("not this time")

    assert code(forking.fork([], wrong, title="a child")) == 1
    assert "ValueError: not this time" in capfd.readouterr().err


def test_one_that_exits_in_any_way_never_returns_here(capfd):
    def leaves():
        raise SystemExit(0)

    here = os.getpid()
    assert code(forking.fork([], leaves, title="a child")) == 1
    assert os.getpid() == here
    assert "SystemExit" in capfd.readouterr().err


def test_threads_of_its_parent_are_not_there(said):
    out, read = said
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        pid = forking.fork([out], lambda: os.write(out, counted()), title="a child")
        assert read() == "1"
        assert code(pid) == 0
    finally:
        over.set()
        thread.join()


def counted():
    return str(len(list(Path("/proc/self/task").iterdir()))).encode()


def test_where_there_may_be_no_more_processes_nothing_is_left(monkeypatch):
    def no_more():
        raise BlockingIOError(errno.EAGAIN, "no more processes are allowed")

    before = descriptors()
    monkeypatch.setattr(os, "fork", no_more)
    with pytest.raises(BlockingIOError):
        forking.fork([], lambda: None, title="a child")
    assert descriptors() == before
    assert signal.SIGUSR1 not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def descriptors():
    """Return the numbers of those that are open, without the one that the folder is read by."""
    return {one.name for one in list(Path("/proc/self/fd").iterdir()) if one.is_symlink()}


def test_a_child_that_stands_still_before_it_has_begun_is_ended(monkeypatch):
    monkeypatch.setattr(forking, "_PATIENCE", 100)
    monkeypatch.setattr(forking, "_close_others", lambda keep: signal.pause())
    began, before = time.monotonic(), children()
    with pytest.raises(TimeoutError):
        forking.fork([], lambda: None, title="a child")
    assert time.monotonic() - began < 5
    assert children() == before  # it is not left as a zombie


def children():
    return [one.read_text() for one in Path("/proc/self/task").glob("*/children")]


def test_without_proc_all_others_are_closed_as_well(said, monkeypatch):
    out, read = said
    opened = os.open

    def no_proc(path, flags):
        if str(path).startswith("/proc"):
            raise FileNotFoundError(path)
        return opened(path, flags)

    with monkeypatch.context() as patch:
        patch.setattr(forking.os, "open", no_proc)
        patch.setattr(forking.resource, "getrlimit", lambda _: (4096, 4096))
        pid = forking.fork([out], lambda: listed(out), title="a child")
    assert set(read().split()) == {"0", "1", "2", str(out)}
    assert code(pid) == 0


def test_thousands_are_closed_and_those_it_is_given_stay(said):
    out, read = said
    many = [os.dup(out) for _ in range(600)]
    try:
        pid = forking.fork([many[300], many[599]], lambda: listed(many[300]), title="a child")
    finally:
        for one in many:
            os.close(one)
    assert set(read().split()) == {"0", "1", "2", str(many[300]), str(many[599])}
    assert code(pid) == 0
