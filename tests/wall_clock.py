"""A program whose wall clock a test moves: its own, and nobody else's.

A time namespace moves only the other clocks (time_namespaces(7)), and a preloaded library does not
reach a program in Go, which asks the kernel itself. So the page of the kernel that answers without
a system call is hidden from it (AT_SYSINFO_EHDR of getauxval(3)), and each question that it then
asks for CLOCK_REALTIME is answered here (seccomp_unotify(2)).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import select
import struct
import subprocess
import threading
import time
from typing import Any

import pytest

__all__ = ["WallClock"]

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
# linux/ptrace.h, linux/prctl.h, linux/seccomp.h, elf.h, and the numbers of x86_64
_TRACEME, _GETREGS, _DETACH = 0, 12, 17
_NO_NEW_PRIVS = 38
_SECCOMP, _PIDFD_OPEN, _PIDFD_GETFD, _CLOCK_GETTIME = 317, 434, 438, 228
_SET_FILTER, _NEW_LISTENER = 1, 8
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_SYSINFO_EHDR, _IGNORE = 33, 1
_STACK_POINTER = 19  # of user_regs_struct


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def _step(code: int, yes: int, no: int, value: int) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)


# Of struct seccomp_data: the number at 0, the first argument at 16.
_STEPS = b"".join(
    (
        _step(0x20, 0, 0, 0),
        _step(0x15, 0, 3, _CLOCK_GETTIME),
        _step(0x20, 0, 0, 16),
        _step(0x15, 0, 1, time.CLOCK_REALTIME),
        _step(0x06, 0, 0, _NOTIFY),
        _step(0x06, 0, 0, _ALLOW),
    )
)


class WallClock:
    """The clock of one program; `ahead` is by how many seconds it is, `asked` how often it was."""

    def __init__(self) -> None:
        if platform.machine() != "x86_64":
            pytest.skip("the numbers of system calls are those of x86_64")
        self.ahead = 0.0
        self.asked = 0
        self._listener = -1
        self._memory = -1
        self._answering: threading.Thread | None = None

    def start(self, command: list[str], **more: Any) -> subprocess.Popen[Any]:
        """Start `command` by this clock."""
        place = os.open("/dev/null", os.O_RDONLY)  # where it has the listener, until it is here

        def before() -> None:
            program = _Program(len(_STEPS) // 8, _STEPS)
            _libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
            _libc.ptrace(_TRACEME, 0, None, None)
            found = _libc.syscall(_SECCOMP, _SET_FILTER, _NEW_LISTENER, ctypes.byref(program))
            os.dup2(found, place)

        try:
            process = subprocess.Popen(command, preexec_fn=before, pass_fds=(place,), **more)  # noqa: PLW1509
        finally:
            os.close(place)
        pid = process.pid
        os.waitpid(pid, 0)  # it has stopped at its first step
        self._memory = os.open(f"/proc/{pid}/mem", os.O_RDWR)
        self._hide_page(pid)
        pidfd = _libc.syscall(_PIDFD_OPEN, pid, 0)
        self._listener = _libc.syscall(_PIDFD_GETFD, pidfd, place, 0)
        os.close(pidfd)
        assert self._listener >= 0, os.strerror(ctypes.get_errno())
        self._answering = threading.Thread(target=self._answer, name="wall clock", daemon=True)
        self._answering.start()
        _libc.ptrace(_DETACH, pid, None, None)
        return process

    def _hide_page(self, pid: int) -> None:
        registers = (ctypes.c_ulonglong * 27)()
        assert _libc.ptrace(_GETREGS, pid, None, ctypes.byref(registers)) == 0
        at = registers[_STACK_POINTER] + 8  # behind the number of arguments
        for _ in range(2):  # the arguments, the environment
            while self._words(at, 1)[0]:
                at += 8
            at += 8
        while (found := self._words(at, 2))[0]:
            if found[0] == _SYSINFO_EHDR:
                os.pwrite(self._memory, struct.pack("Q", _IGNORE), at)
            at += 16

    def _words(self, at: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"{count}Q", os.pread(self._memory, 8 * count, at))

    def _answer(self) -> None:
        waiting = select.poll()
        waiting.register(self._listener, select.POLLIN)
        while True:
            if any(what & select.POLLHUP for _, what in waiting.poll()):
                return  # it is gone
            try:
                asked = fcntl.ioctl(self._listener, _RECEIVE, bytes(80))
                identity, *_, where = struct.unpack_from("QIIiIQQQ", asked)
                now = time.time_ns() + int(self.ahead * 1e9)
                os.pwrite(self._memory, struct.pack("qq", *divmod(now, 10**9)), where)
                fcntl.ioctl(self._listener, _SEND, struct.pack("QqiI", identity, 0, 0, 0))
                self.asked += 1
            except OSError:
                continue  # who asked is gone

    def close(self) -> None:
        """It has ended, and nobody asks any longer."""
        if self._answering is not None:
            self._answering.join(10)
            os.close(self._listener)
            os.close(self._memory)
