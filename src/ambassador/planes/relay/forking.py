"""A child process that is a copy of this one: fork(2) without execve(2).

A worker that began as a program of its own needed 50 ms of a core and 8 MB for the interpreter and
its imports. A copy shares the memory of its parent until one of them writes to it, and runs the
modules that its parent has read, also where the files of a new version are there by now.

A copy has also what it must not have: the descriptors of all connections, which would keep these
open, the signals and the threads of its parent. What it must never do is to drop an object of its
parent: a socket would close a number that is another's by then. So it runs inside of the call
that made it, and ends by _exit(2).

To look at an object writes to it (its count of references), and each page that the child or its
parent writes to is there twice from then on. So the child begins with few and plain calls: one
`pathlib.Path` or `signal.valid_signals()` here costs 0.7 MB.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import resource
import select
import signal
import traceback
import warnings
from collections.abc import Callable, Collection, Sequence

__all__ = ["fork"]

_PATIENCE = 2000  # milliseconds for the child to close what is its parent's; it takes one
_SIGNALS = tuple(map(int, signal.valid_signals()))
_ARG_START, _ARG_END = 48 - 3, 49 - 3  # fields of /proc/PID/stat (proc(5)), counted from "state"


def fork(
    keep: Sequence[int],
    main: Callable[[], None],
    *,
    title: str,
    ignored: Collection[int] = (),
) -> int:
    """Start a child that runs `main`, with stdout, stderr and the descriptors `keep`, and ignores
    the signals `ignored`; its exit code is 0, or 1 where `main` raises. ps(1) shows it as `title`,
    as far as there is room. Return its process number, once it has closed all other descriptors:
    connections that are closed from then on end at once. Raises OSError.
    """
    ours, theirs = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_SETMASK, _SIGNALS)
    try:
        with warnings.catch_warnings():
            # Of threads, which may have locks (Python 3.12). The child uses no object of theirs;
            # glibc, OpenSSL and the interpreter free their own locks in a child.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if not pid:
            _run(keep, main, title, ignored, before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(theirs)
        begun = select.poll()
        begun.register(ours, 0)  # POLLHUP is always reported
        hung_up = begun.poll(_PATIENCE)
        os.close(ours)
    if not hung_up:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    return pid


def _run(
    keep: Sequence[int],
    main: Callable[[], None],
    title: str,
    ignored: Collection[int],
    mask: Collection[int],
) -> None:
    """Be the child; does not return."""
    code = 1
    try:
        _close_others({0, 1, 2, *keep})  # first: the parent waits for it
        gc.freeze()  # the collector would write to each object, and so to memory that is shared
        signal.set_wakeup_fd(-1)  # of the event loop: it is its parent's, too
        for number in _SIGNALS:
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        for one in ignored:
            signal.signal(one, signal.SIG_IGN)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _entitle(title)
        main()
        code = 0
    except BaseException:
        with contextlib.suppress(OSError):  # stderr is closed
            os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def _close_others(keep: Collection[int]) -> None:
    begin = 0
    for number in (*sorted(keep), _slots()):
        if number > begin:  # CPython asks close_range(2) to close all where there is nothing to do
            os.closerange(begin, number)
        begin = number + 1


def _slots() -> int:
    """Return the size of the table of descriptors (FDSize, proc(5)), which in a child is that of
    the largest one, about. To list /proc/self/fd instead takes 12 ms for 6,000 of them.
    """
    try:
        status = os.open("/proc/self/status", os.O_RDONLY)
        said = os.read(status, 8192)
        os.close(status)
        return int(said.partition(b"FDSize:")[2].split(None, 1)[0])
    except (OSError, ValueError, IndexError):
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _entitle(title: str) -> None:
    """Have ps(1) show `title`: it reads the memory where the command line was at the start."""
    with contextlib.suppress(OSError, ValueError):
        about = os.open("/proc/self/stat", os.O_RDONLY)
        fields = os.read(about, 4096).rpartition(b")")[2].split()
        os.close(about)
        start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
        if end - start > 1:
            memory = os.open("/proc/self/mem", os.O_WRONLY)
            os.pwrite(memory, title.encode()[: end - start - 1].ljust(end - start, b"\0"), start)
            os.close(memory)
