"""Process 1 of the image: starts the program it is given, and starts it again where it was killed.

    env --block-signal python3 -I -S supervisor.py PROGRAM [ARGUMENT...]

Each signal goes on to the program, and how that ends is how this ends; so nobody has to know that
it is there. Only where the program had said that it was ready, and was killed by a signal that
nobody has sent to us and nobody who wants its end would send to it, another is started: after a
pause that grows while they do not live long. What the first one has left
(planes/relay/orphan.py) lives on meanwhile, as a child of process 1.

It hears three of the words that systemd hears (sd_notify(3)): READY; FDSTORE, with sockets that
the next one is given (sd_listen_fds(3)), so that clients wait for it and are not refused; MAINPID,
where a successor takes over.

It has all signals blocked from its first instruction: a signal that process 1 neither blocks nor
handles is dropped (pid_namespaces(7)). It imports nothing of the program and next to nothing else.
"""

import _socket
import fcntl
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
else:
    import _signal  # `signal` is this and `enum`: 0.8 MB

__all__ = ["Notices", "Supervisor", "main"]

_ALL = _signal.valid_signals()
_ENDS = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGQUIT)  # by which one is asked to end
_MEANT = (*_ENDS, _signal.SIGHUP)
_CHANGED = (_signal.SIGINT, _signal.SIGPIPE, _signal.SIGXFSZ)  # by Python, as it begins
_HAS_LASTED = 10.0  # seconds without a kill after which the next start comes at once again
_FIRST, _LONGEST = 0.1, 10.0  # seconds before another start: twice as long each time
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # as shells have it
_NOTICE, _CONTROL = 4096, 2048  # bytes of what is told, and of what goes along
_CREDENTIALS = 12  # struct ucred: pid, uid, gid (unix(7))
_O_ASYNC = 0o20000  # fcntl(2): SIGIO when there is something to read
_KEPT = 3  # SD_LISTEN_FDS_START
_MOST = 8192  # sockets that are kept


class Notices:
    """What the program says: `ready`, the `sockets` that are kept for the next one, by name."""

    def __init__(self) -> None:
        self.ready = False
        self.sockets: dict[str, int] = {}
        self._sock = sock = _socket.socket(
            _socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC
        )
        sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_PASSCRED, 1)
        sock.bind(b"")  # a name that nobody has, unix(7): the files of a container may be read-only
        self.place = "@" + sock.getsockname()[1:].decode()
        fcntl.fcntl(sock.fileno(), fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(sock.fileno(), fcntl.F_GETFL)
        fcntl.fcntl(sock.fileno(), fcntl.F_SETFL, flags | _O_ASYNC)

    def hear(self, speaker: int) -> int:
        """Hear all that process `speaker` has said; return who speaks from then on."""
        while True:
            try:
                data, control, _, _ = self._sock.recvmsg(
                    _NOTICE, _CONTROL, _socket.MSG_CMSG_CLOEXEC
                )
            except OSError:
                return speaker
            pid, descriptors = 0, list[int]()
            for _, kind, found in control:
                numbers = [
                    int.from_bytes(found[place : place + 4], sys.byteorder)
                    for place in range(0, len(found), 4)
                ]
                if kind == _socket.SCM_CREDENTIALS and len(found) == _CREDENTIALS:
                    pid = numbers[0]
                elif kind == _socket.SCM_RIGHTS:
                    descriptors = numbers
            said = dict(
                line.partition("=")[::2] for line in data.decode("utf-8", "replace").split("\n")
            )
            if pid and pid == speaker:  # 0: it is of another namespace
                speaker = self._understand(said, descriptors) or speaker
            for one in descriptors:
                os.close(one)

    def _understand(self, said: dict[str, str], descriptors: list[int]) -> int:
        """Return the process that is to be looked after instead, or 0."""
        self.ready = self.ready or said.get("READY") == "1"
        name = said.get("FDNAME", "")
        if (said.get("FDSTORE") and descriptors) or said.get("FDSTOREREMOVE"):
            before = self.sockets.pop(name, -1)
            if before >= 0:
                os.close(before)
        if said.get("FDSTORE") and descriptors and len(self.sockets) < _MOST:
            self.sockets[name] = descriptors.pop(0)
        successor = said.get("MAINPID", "")
        # Of no process but 1 it is a child, once its parent has ended.
        return int(successor) if successor.isdecimal() and os.getpid() == 1 else 0


class Supervisor:
    """Runs `command`; one that is started again finds the signal in the variable KILLED_BY."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._notices = Notices()
        self._environ = {**os.environ, "NOTIFY_SOCKET": self._notices.place, "FDSTORE": str(_MOST)}
        self._pid = 0
        self._began = 0.0
        self._pause = 0.0
        self._sent: set[int] = set()

    def run(self) -> int:
        """Return the exit code once it has ended and is not started again."""
        self._start()
        code = None
        while code is None:
            number, by_kernel = self._next()
            if number == _signal.SIGCHLD:
                code = self._reap()
            elif number == _signal.SIGIO and by_kernel:
                self._pid = self._notices.hear(self._pid)
            elif not number:
                self._start()
            elif self._pid:
                self._send_on(number)
            elif number in _ENDS:
                code = _as_shells_do(-number)
        return code

    def _next(self) -> tuple[int, bool]:
        """Return the next signal and whether the kernel has sent it; 0 when it is time to start."""
        if self._pid:
            found = _signal.sigwaitinfo(_ALL)
        else:
            left = self._began + self._pause - time.monotonic()
            waited = _signal.sigtimedwait(_ALL, max(0.0, left))
            if waited is None:
                return 0, True
            found = waited
        return found.si_signo, found.si_code > 0

    def _start(self) -> None:
        self._began = time.monotonic()
        self._pid = os.fork()
        if not self._pid:
            os._exit(self._become())

    def _become(self) -> int:
        """Be the program, in a process of its own; the exit code where that cannot be."""
        os.setpgid(0, 0)  # what is typed at a terminal reaches the program, and that once
        try:  # noqa: SIM105 (contextlib is 1 MB)
            os.tcsetpgrp(0, os.getpid())
        except OSError:  # no terminal
            pass
        kept = self._notices.sockets
        if kept:
            numbers = list(kept.values())
            above = max(*numbers, _KEPT + len(numbers)) + 1
            for place, number in enumerate(numbers):
                os.dup2(number, above + place)
            for place in range(len(numbers)):
                os.dup2(above + place, _KEPT + place, inheritable=True)
                os.close(above + place)
            listen = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(kept))}
            self._environ.update(listen, LISTEN_FDNAMES=":".join(kept))
        for number in _CHANGED:
            _signal.signal(number, _signal.SIG_DFL)
        # SIGHUP ends a program that does not handle it yet: it waits until that is so.
        _signal.pthread_sigmask(_signal.SIG_SETMASK, (_signal.SIGHUP,))
        try:
            os.execvpe(self._command[0], self._command, self._environ)  # noqa: S606 (that is it)
        except OSError as error:
            sys.stderr.write(f"{self._command[0]}: {error.strerror}\n")
            return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE

    def _send_on(self, number: int) -> None:
        self._sent.add(number)
        try:  # noqa: SIM105 (as above)
            os.kill(self._pid, number)
        except OSError:  # another user's, by a program with a set-user-ID bit
            pass

    def _reap(self) -> int | None:
        """Wait for all that have ended, orphans too; the exit code where the program has."""
        self._pid = self._notices.hear(self._pid)
        code = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return code
            if not pid:
                return code
            if pid == self._pid:
                code = self._ended(os.waitstatus_to_exitcode(status))

    def _ended(self, code: int) -> int | None:
        """Return the exit code; None where it is to be started again."""
        if code >= 0 or not self._notices.ready or self._is_asked(-code):
            return _as_shells_do(code)
        now = time.monotonic()
        short = now - self._began < _HAS_LASTED
        self._pause = min(max(_FIRST, 2 * self._pause), _LONGEST) if short else 0.0
        self._environ["KILLED_BY"] = str(-code)
        self._pid, self._began = 0, now
        return None

    def _is_asked(self, number: int) -> bool:
        return number in _MEANT or number in self._sent or bool(self._sent.intersection(_ENDS))


def _as_shells_do(code: int) -> int:
    """Return the exit code of one that ended with `code`; asked to end, it has ended well."""
    if -code in (_signal.SIGTERM, _signal.SIGINT):
        return 0
    return code if code >= 0 else 128 - code


def main() -> None:
    """Run what the arguments say."""
    if not sys.argv[1:]:
        sys.stderr.write("usage: supervisor.py PROGRAM [ARGUMENT...]\n")
        sys.exit(2)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _ALL)  # where `env` has not
    sys.exit(Supervisor(sys.argv[1:]).run())


if __name__ == "__main__":
    main()
