import asyncio
import socket
import struct
import time

import pytest
import uvloop

from ambassador.model import Endpoint, Inet, Unix
from ambassador.planes.relay.dial import BESIDE, Dial, Patience
from ambassador.planes.relay.evidence import Candidate
from ambassador.planes.relay.poller import Poller
from ambassador.planes.relay.source_ports import SourcePorts
from ambassador.tls.keyring import Keyring
from tests.ports import free_port


class Dialler:
    """Keeps what becomes of its dial."""

    def __init__(self, poller):
        self.poller = poller
        self.overdue_after = []
        self.outcome = asyncio.get_running_loop().create_future()

    def answered(self, dial, sock, events):
        self.outcome.set_result(sock)

    def failed(self, dial, reason):
        self.outcome.set_result(reason)

    def overdue(self, dial):
        self.overdue_after.append(time.monotonic())

    def broke(self):
        self.outcome.set_result("broke")


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request):
    """Run `trial(dialler, patience)` on a loop."""

    def running(trial):
        async def around():
            poller = Poller(4096, lambda error: None)
            loop = asyncio.get_running_loop()
            loop.add_reader(poller.fileno(), poller.turn)
            patience = Patience(Keyring())
            dialler = Dialler(poller)
            try:
                return await trial(dialler, patience)
            finally:
                assert len(patience) == 0
                if dialler.outcome.done() and not isinstance(dialler.outcome.result(), str):
                    poller.close_socket(dialler.outcome.result())
                assert len(poller) == 0
                patience.close()
                loop.remove_reader(poller.fileno())
                poller.close()

        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(asyncio.wait_for(around(), 10))

    return running


LIMIT = 5.0


def begin(candidate, limit, dialler, patience):
    return Dial.begin(candidate, limit, dialler, patience, SourcePorts())


def to(port, host="127.0.0.1"):
    return Candidate(Endpoint(Inet(host, port)), host, port)


def test_it_connects(run):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        async def trial(dialler, patience):
            assert begin(to(listening.getsockname()[1]), LIMIT, dialler, patience)
            return (await dialler.outcome).getpeername()

        assert run(trial) == listening.getsockname()


def test_it_connects_to_a_path(run, tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        async def trial(dialler, patience):
            candidate = Candidate(Endpoint(Unix(path)), path, 0)
            assert begin(candidate, LIMIT, dialler, patience)
            return (await dialler.outcome).getpeername()

        assert run(trial) == path


def test_a_path_whose_server_has_spoken_and_gone_is_connected(run, tmp_path):
    """unix(7): the end of both directions is seen (HUP), behind what can still be read."""
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()

        async def trial(dialler, patience):
            assert begin(Candidate(Endpoint(Unix(path)), path, 0), LIMIT, dialler, patience)
            accepted, _ = listening.accept()
            accepted.send(b"hello")
            accepted.close()
            return (await dialler.outcome).recv(10)

        assert run(trial) == b"hello"


def test_an_address_that_is_none_cannot_even_begin(run):
    async def trial(dialler, patience):
        path = "/" + "x" * 200
        with pytest.raises(OSError, match="too long"):
            begin(Candidate(Endpoint(Unix(path)), path, 0), LIMIT, dialler, patience)

    run(trial)


def test_what_breaks_leaves_no_socket(run):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        async def trial(dialler, patience):
            def answered(dial, sock, events):
                raise MemoryError

            dialler.answered = answered
            assert begin(to(listening.getsockname()[1]), LIMIT, dialler, patience)
            return await dialler.outcome

        assert run(trial) == "broke"


def test_a_path_where_nobody_listens_cannot_even_begin(run, tmp_path):
    async def trial(dialler, patience):
        path = str(tmp_path / "none")
        with pytest.raises(FileNotFoundError):
            begin(Candidate(Endpoint(Unix(path)), path, 0), LIMIT, dialler, patience)

    run(trial)


def test_without_descriptors_it_cannot_begin(run, monkeypatch):
    async def trial(dialler, patience):
        def none(*_):
            raise OSError(24, "Too many open files")

        monkeypatch.setattr(socket, "SocketType", none)
        with pytest.raises(OSError, match="Too many open files"):
            begin(to(1), LIMIT, dialler, patience)

    run(trial)


def test_refused_says_so(run):
    port = free_port()

    async def trial(dialler, patience):
        assert begin(to(port), LIMIT, dialler, patience)
        return await dialler.outcome

    assert run(trial) == f"127.0.0.1:{port}: connection refused"


def test_reset_before_it_was_seen_to_be_connected_is_a_failure(run):
    """Docker's proxy does this while the program in the container does not listen yet."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        async def trial(dialler, patience):
            assert begin(to(port), LIMIT, dialler, patience)
            accepted, _ = listening.accept()
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            accepted.close()
            return await dialler.outcome

        assert run(trial) == f"127.0.0.1:{port}: connection reset by peer"


def test_silence_is_given_up_after_its_time(run):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        fillers = [socket.socket() for _ in range(2)]  # further SYNs are dropped (listen(2))
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        port = full.getsockname()[1]

        async def trial(dialler, patience):
            loop = asyncio.get_running_loop()
            began = loop.time()
            assert begin(to(port), 0.3, dialler, patience)
            return await dialler.outcome, loop.time() - began

        reason, seconds = run(trial)
        for filler in fillers:
            filler.close()
    assert reason == f"127.0.0.1:{port} does not answer"
    assert seconds >= 0.29


def test_a_full_backlog_of_a_path_says_so(run, tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as full, socket.socket(socket.AF_UNIX) as filler:
        full.bind(path)
        full.listen(0)
        filler.connect(path)

        async def trial(dialler, patience):
            with pytest.raises(OSError, match="its listen backlog is full"):
                begin(Candidate(Endpoint(Unix(path)), path, 0), LIMIT, dialler, patience)

        run(trial)


def test_one_that_takes_its_time_is_told_of_once(run):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        fillers = [socket.socket() for _ in range(2)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())

        async def trial(dialler, patience):
            began = time.monotonic()
            begin(to(full.getsockname()[1]), 0.5, dialler, patience)
            await dialler.outcome
            return [moment - began for moment in dialler.overdue_after]

        (after,) = run(trial)
        for filler in fillers:
            filler.close()
    assert BESIDE <= after < 0.5


def test_who_drops_it_hears_nothing(run):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        async def trial(dialler, patience):
            dial = begin(to(listening.getsockname()[1]), LIMIT, dialler, patience)
            dial.drop()
            await asyncio.sleep(0)
            return dialler.outcome.done()

        assert run(trial) is False
        accepted, _ = listening.accept()
        with accepted, pytest.raises(ConnectionResetError):
            accepted.recv(1)


def test_a_socket_that_is_connected_to_itself_is_refused(run, monkeypatch):
    async def trial(dialler, patience):
        with socket.socket() as probe:  # nobody listens there, and the kernel may choose it
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        dial = None

        class Bound(socket.SocketType):
            def connect_ex(self, where):
                self.bind(where)
                return super().connect_ex(where)

        monkeypatch.setattr(socket, "SocketType", Bound)
        dial = begin(to(port), LIMIT, dialler, patience)
        assert dial is not None
        assert port >= patience.ephemeral
        return await dialler.outcome

    assert run(trial).endswith(": connection refused")
