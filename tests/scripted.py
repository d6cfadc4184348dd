"""A name server that answers as a test says, also wrongly or not at all."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Sequence

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.netns import Namespace

__all__ = ["ScriptedServer"]

# Addresses; or an rcode; or None, which is silence.
Said = Sequence[str] | dns.rcode.Rcode | None


class ScriptedServer:
    """Listens on port 53 of `address`. `say` (name, kind, whether EDNS was used) gives what is
    answered; `asked` counts questions by name and kind.
    """

    def __init__(
        self,
        net: Namespace,
        say: Callable[[str, str, bool], Said],
        address: str = "127.0.0.1",
        ttl: int = 20,
    ) -> None:
        self.address = address
        self.say = say
        self.ttl = ttl
        self.asked: Counter[tuple[str, str]] = Counter()
        self._socket = net.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        self._over = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Be gone."""
        self._over = True
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            wire, client = self._socket.recvfrom(65535)
            if self._over:
                return
            question = dns.message.from_wire(wire)
            (asked,) = question.question
            name, kind = asked.name.to_text(), dns.rdatatype.to_text(asked.rdtype)
            self.asked[name, kind] += 1
            said = self.say(name, kind, question.edns >= 0)
            if said is None:
                continue
            answer = dns.message.make_response(question)
            answer.flags |= dns.flags.RA
            if isinstance(said, dns.rcode.Rcode):
                answer.set_rcode(said)
            elif said:
                answer.answer.append(dns.rrset.from_text(asked.name, self.ttl, "IN", kind, *said))
            self._socket.sendto(answer.to_wire(), client)
