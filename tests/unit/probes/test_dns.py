import asyncio
import socket
import struct
from contextlib import contextmanager
from threading import Thread

import dns.message
import dns.rcode
import pytest

from ambassador.model import Endpoint, Inet, Proto
from ambassador.probes.exchange import NoAnswerError, ask
from ambassador.probes.table import probe_of
from tests.answering import saying
from tests.dnsmasq import NameServer
from tests.netns import Namespace
from tests.ports import free_port
from tests.wait import until


@pytest.fixture
def net():
    namespace = Namespace()
    yield namespace
    namespace.close()


def asked(net, proto, address="127.0.0.1", port=53, limit=0.3):
    place = (socket.AF_INET, (address, port))
    run = net.run_loop if net else asyncio.run
    try:
        run(ask(probe_of("dns", proto), place, Endpoint(Inet("ns", 53), proto), limit))
    except NoAnswerError as error:
        return str(error)
    return ""


@pytest.mark.root
@pytest.mark.parametrize("proto", Proto)
def test_a_name_server_works_while_it_is_there_and_awake(net, tmp_path, proto):
    server = NameServer(net, tmp_path)
    try:
        assert asked(net, proto, limit=5.0) == ""
        server.freeze()
        assert asked(net, proto) == "no answer within 0.3 s"
        server.thaw()
        assert asked(net, proto, limit=5.0) == ""
    finally:
        server.stop()
    # a child of dnsmasq, one for each connection, may have the listening socket for a moment more
    until(lambda: asked(net, proto) == "connection refused", 5)


@contextmanager
def answering(*answers):
    """A UDP socket that answers the first questions with `answers`, None: not at all."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)

        def work():
            for answer in answers:
                question, client = sock.recvfrom(1000)
                if answer is not None:
                    sock.sendto(answer(question), client)

        thread = Thread(target=work)
        thread.start()
        yield sock.getsockname()[1]
        thread.join(10)


def reply(code):
    def answer(question):
        made = dns.message.make_response(dns.message.from_wire(question))
        made.set_rcode(code)
        return made.to_wire()

    return answer


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (reply(dns.rcode.NOERROR), ""),
        (reply(dns.rcode.REFUSED), ""),
        (reply(dns.rcode.NXDOMAIN), ""),
        (reply(dns.rcode.SERVFAIL), "answers with SERVFAIL"),
        (lambda question: question, "does not answer like a name server"),
        (lambda question: b"xx" + question[2:], "does not answer like a name server"),
        (lambda _: b"hello", "does not answer like a name server"),
    ],
)
def test_what_else_may_be_said(answer, why):
    with answering(answer) as port:
        assert asked(None, Proto.UDP, port=port, limit=5.0) == why


def test_a_datagram_that_is_lost_is_sent_again():
    with answering(None, reply(dns.rcode.NOERROR)) as port:
        assert asked(None, Proto.UDP, port=port, limit=5.0) == ""


def test_the_question_is_one():
    question = dns.message.from_wire(probe_of("dns", Proto.UDP).question("x"))
    (asked,) = question.question
    assert asked.to_text() == ". IN SOA"
    stream = probe_of("dns").question("x")
    assert stream == struct.pack("!H", len(stream) - 2) + stream[2:]
    assert stream[2:] == question.to_wire()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"\0\x03abc", "does not answer like a name server"),
        (b"\0\x20ab", "ends before it has answered"),
        (b"\0", "ends before it has answered"),
    ],
)
def test_over_a_stream_it_has_to_come_whole(verdict, said, why):
    with saying(said) as port:
        assert verdict("dns", port) == why


def test_nobody_there_is_told_at_once():
    assert asked(None, Proto.UDP, port=free_port(), limit=5.0) == "connection refused"
