"""A real name server that says what a test wants: dnsmasq, in a network namespace of the test."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

import dns.message

from tests.netns import Namespace
from tests.wait import until

__all__ = ["NameServer"]


class NameServer:
    """Answers on port 53 of `address` for all names there are: those that it is told.

    `ttl` is in seconds; `options` are further options of dnsmasq(8). `say` changes names at once.
    """

    def __init__(
        self,
        net: Namespace,
        folder: Path,
        *options: str,
        ttl: int = 20,
        address: str = "127.0.0.1",
    ) -> None:
        self.address = address
        self._net = net
        self._hosts = folder / f"names-{address}"
        self._log = folder / f"questions-{address}"
        self._hosts.write_text("")
        self._command = (
            *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file="),
            *("--no-resolv", "--no-hosts", "--user=root", "--log-queries=extra"),
            *(f"--listen-address={address}", "--bind-interfaces", f"--local-ttl={ttl}"),
            *(f"--addn-hosts={self._hosts}", f"--log-facility={self._log}"),
            *(options or ("--local=/#/",)),  # unknown names: there are none, nobody else to ask
        )
        self._states = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Begin to answer."""
        assert self._process is None
        self._process = self._net.start(*self._command, stderr=subprocess.DEVNULL)
        try:
            until(self._answers, what="dnsmasq answers")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Be gone: questions are refused by the kernel."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Leave questions unanswered until `thaw`."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    def say(self, **names: str | tuple[str, ...]) -> None:
        """Replace all that is said: `db="10.0.0.1"`; two underscores stand for a dot."""
        lines = [
            f"{address} {name.replace('__', '.')}\n"
            for name, addresses in names.items()
            for address in ((addresses,) if isinstance(addresses, str) else addresses)
        ]
        # a name that only this state has, so that it is seen when dnsmasq has read it
        self._states += 1
        lines.append(f"127.9.9.9 state-{self._states}\n")
        self._hosts.write_text("".join(lines))
        self._send(signal.SIGHUP)
        until(lambda: self._answers(f"state-{self._states}"), what="dnsmasq has read its names")

    def questions(self, name: str) -> int:
        """Count the questions for the IPv4 address of `name` so far."""
        return sum(f"query[A] {name} " in line for line in self._log.read_text().splitlines())

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _answers(self, name: str = "") -> bool:
        query = dns.message.make_query(name or "nothing", "A")
        try:
            answer = self._net.call(_ask, query.to_wire(), self.address)
        except OSError:
            return False
        return bool(dns.message.from_wire(answer).answer) or not name


def _ask(query: bytes, address: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)
        sock.connect((address, 53))  # so that nobody listening is an error, not silence
        sock.send(query)
        return sock.recv(65535)
