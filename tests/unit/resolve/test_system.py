import asyncio
import socket
import threading
import time

import pytest

from ambassador.errors import ResolveError
from ambassador.resolve.answer import Answer
from ambassador.resolve.system import Libc, ask_system


def test_what_libc_knows():
    answer = asyncio.run(ask_system("localhost", "x"))
    assert "127.0.0.1" in answer.addresses
    assert answer.ttl == 5


def test_what_it_does_not_know_is_told_with_the_reason_given(monkeypatch):
    def unknown(*_arguments, **_named):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ResolveError, match=r"^db has no address: there is no such name$"):
        asyncio.run(ask_system("db", "there is no such name"))


def test_its_end_is_not_waited_for(monkeypatch):
    entered, release = threading.Event(), threading.Event()

    def slow(*_arguments, **_named):
        entered.set()
        release.wait(30)
        return []

    libc = Libc()

    async def main():
        task = asyncio.get_running_loop().create_task(ask_system("slow", "x", libc))
        while not entered.is_set():
            await asyncio.sleep(0)
        task.cancel()

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 5
    assert entered.is_set()
    assert all(one.daemon for one in threading.enumerate() if one.name == "getaddrinfo")
    release.set()
    over = threading.Event()
    libc.do(over.set)
    assert over.wait(5)  # though the loop that it would have told is closed


def test_each_address_once(monkeypatch):
    entries = [(0, 0, 0, "", (address, 0)) for address in ("fd00::1", "10.0.0.1", "fd00::1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_n: entries)
    assert asyncio.run(ask_system("db", "x")) == Answer(("10.0.0.1", "fd00::1"), 5)


def test_a_thousand_names_take_no_more_threads_than_there_may_be():
    libc, done, release = Libc(most=3), threading.Semaphore(0), threading.Event()
    began: set[int] = set()

    def work():
        began.add(threading.get_ident())
        release.wait(10)
        done.release()

    for _ in range(1000):
        libc.do(work)
    release.set()
    for _ in range(1000):
        assert done.acquire(timeout=10)
    assert len(began) <= 3


def test_without_a_thread_it_is_said(monkeypatch):
    def none_left(_self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none_left)
    with pytest.raises(ResolveError, match="there is no such name, and can't start new thread"):
        asyncio.run(ask_system("db", "there is no such name", Libc()))
