"""Process 1 of the image: starts a program, and starts it again where it was killed.

    env --block-signal python3 -I -S supervisor.py PROGRAM [ARGUMENT...]

Each signal is sent on to the program, and the supervisor ends with the program's exit code, so it
is not visible from outside. The program is started again only where it had reported that it is
ready, and was then killed by a signal that was not sent through the supervisor and is none that
people use to end a program. The pause before a new start grows while programs do not live long. The
processes that a killed program has left (planes/relay/orphan.py) live on meanwhile, as children of
process 1.

It understands three messages of systemd's protocol (sd_notify(3)): READY; FDSTORE, with sockets
that the next program gets (sd_listen_fds(3)), so that clients wait for it and are not refused;
MAINPID, where a successor takes over.

All signals are blocked from its first instruction on: a signal that process 1 neither blocks nor
handles is dropped (pid_namespaces(7)). It imports nothing of the program and very little else.
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
_ENDS = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGQUIT)  # signals that ask a program to end
_MEANT = (*_ENDS, _signal.SIGHUP)
_CHANGED = (_signal.SIGINT, _signal.SIGPIPE, _signal.SIGXFSZ)  # set by Python when it starts
_HAS_LASTED = 10.0  # seconds without a kill after which the next start has no pause
_FIRST, _LONGEST = 0.1, 10.0  # seconds before another start: twice as long each time
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # as in shells
_NOTICE, _CONTROL = 4096, 2048  # bytes of a message, and of its control data
_CREDENTIALS = 12  # struct ucred: pid, uid, gid (unix(7))
_O_ASYNC = 0o20000  # fcntl(2): SIGIO when there is something to read
_KEPT = 3  # SD_LISTEN_FDS_START
_MOST = 8192  # sockets that are kept


class Notices:
    """The messages of the program: `ready`, and by name the `sockets` that are kept for the next
    one.
    """

    def __init__(self) -> None:
        self.ready = False
        self.sockets: dict[str, int] = {}
        self._sock = sock = _socket.socket(
            _socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC
        )
        sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_PASSCRED, 1)
        sock.bind(b"")  # a unique abstract name, unix(7): files of a container may be read-only
        self.place = "@" + sock.getsockname()[1:].decode()
        fcntl.fcntl(sock.fileno(), fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(sock.fileno(), fcntl.F_GETFL)
        fcntl.fcntl(sock.fileno(), fcntl.F_SETFL, flags | _O_ASYNC)

    def hear(self, speaker: int) -> int:
        """Read all messages of process `speaker`; return the process whose messages count from then
        on.
        """
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
            if pid and pid == speaker:  # 0: it is in another PID namespace
                speaker = self._understand(said, descriptors) or speaker
            for one in descriptors:
                os.close(one)

    def _understand(self, said: dict[str, str], descriptors: list[int]) -> int:
        """Return the process to supervise from now on, or 0."""
        self.ready = self.ready or said.get("READY") == "1"
        name = said.get("FDNAME", "")
        if (said.get("FDSTORE") and descriptors) or said.get("FDSTOREREMOVE"):
            before = self.sockets.pop(name, -1)
            if before >= 0:
                os.close(before)
        if said.get("FDSTORE") and descriptors and len(self.sockets) < _MOST:
            self.sockets[name] = descriptors.pop(0)
        successor = said.get("MAINPID", "")
        # Only for process 1 it becomes a child, when its parent has ended.
        return int(successor) if successor.isdecimal() and os.getpid() == 1 else 0


class Supervisor:
    """Runs `command`; a program that is started again finds the signal in the variable
    KILLED_BY.
    """

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._notices = Notices()
        self._environ = {**os.environ, "NOTIFY_SOCKET": self._notices.place, "FDSTORE": str(_MOST)}
        self._pid = 0
        self._began = 0.0
        self._pause = 0.0
        self._sent: set[int] = set()

    def run(self) -> int:
        """Return the exit code when the program has ended and is not started again."""
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
        """Return the next signal and whether the kernel has sent it; 0 when it is time for a new
        start.
        """
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
        """Become the program, in a process of its own; return the exit code where this fails."""
        os.setpgid(0, 0)  # signals from a terminal reach the program, and only once
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
        # These would end a program that does not handle them yet: they stay blocked until then.
        _signal.pthread_sigmask(_signal.SIG_SETMASK, (_signal.SIGHUP, _signal.SIGINT))
        try:
            os.execvpe(self._command[0], self._command, self._environ)  # noqa: S606 (that is it)
        except OSError as error:
            sys.stderr.write(f"{self._command[0]}: {error.strerror}\n")
            return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE

    def _send_on(self, number: int) -> None:
        self._sent.add(number)
        try:  # noqa: SIM105 (as above)
            os.kill(self._pid, number)
        except OSError:  # another user's process, of a program with a set-user-ID bit
            pass

    def _reap(self) -> int | None:
        """Wait for all processes that have ended, orphans too; return the exit code where the
        program has.
        """
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
    """Return the exit code for a program that ended with `code`; 0 where it was asked to end."""
    if -code in (_signal.SIGTERM, _signal.SIGINT):
        return 0
    return code if code >= 0 else 128 - code


def main() -> None:
    """Run the program in the arguments."""
    if not sys.argv[1:]:
        sys.stderr.write("usage: supervisor.py PROGRAM [ARGUMENT...]\n")
        sys.exit(2)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _ALL)  # in case `env` has not done it
    sys.exit(Supervisor(sys.argv[1:]).run())


if __name__ == "__main__":
    main()
