import select
import socket
import struct
import time

import pytest

from ambassador.planes.relay.poller import EDGES, LEVEL, Poller


class Told:
    """Keeps what it is told; `react` is called with it."""

    def __init__(self, react=lambda events: None):
        self.events = []
        self.broken = 0
        self._react = react

    def ready(self, events):
        self.events.append(events)
        self._react(events)

    def broke(self):
        self.broken += 1


@pytest.fixture
def failures():
    return []


@pytest.fixture
def poller(failures):
    poller = Poller(65536, failures.append)
    yield poller
    poller.close()


@pytest.fixture
def pair():
    """A connected TCP pair: ours, theirs."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
    with ours, theirs:
        yield ours, theirs


def send_reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_an_edge_is_told_once(poller, pair):
    told = Told()
    poller.add(pair[0].fileno(), told, EDGES & ~select.EPOLLOUT)
    pair[1].send(b"data")
    poller.turn(5)
    poller.turn()
    assert told.events == [select.EPOLLIN]
    pair[1].send(b"more")
    poller.turn(5)
    assert len(told.events) == 2


def test_a_level_is_told_for_as_long_as_it_lasts(poller, pair):
    told = Told()
    poller.add(pair[0].fileno(), told, LEVEL)
    pair[1].send(b"data")
    poller.turn(5)
    poller.turn()
    assert told.events == [select.EPOLLIN] * 2


def test_an_end_and_a_reset_are_told_though_nothing_is_read(poller, pair):
    told = Told()
    poller.add(pair[0].fileno(), told)
    poller.turn(5)
    pair[1].send(b"unread")
    pair[1].shutdown(socket.SHUT_WR)
    while not told.events[-1] & select.EPOLLRDHUP:
        poller.turn(5)
    assert not told.events[-1] & select.EPOLLERR
    send_reset(pair[1])
    while not told.events[-1] & select.EPOLLERR:
        poller.turn(5)


def test_what_is_removed_is_told_nothing_and_stays_open(poller, pair):
    told = Told()
    poller.add(pair[0].fileno(), told)
    poller.remove(pair[0].fileno())
    poller.remove(pair[0].fileno())
    pair[1].send(b"data")
    poller.turn()
    assert told.events == []
    assert pair[0].recv(10) == b"data"
    assert len(poller) == 0


def test_what_is_given_to_another_is_told_to_that_one(poller, pair):
    first, second = Told(), Told()
    poller.add(pair[0].fileno(), first)
    poller.turn(5)
    poller.give(pair[0].fileno(), second)
    pair[1].send(b"data")
    poller.turn(5)
    assert (len(first.events), len(second.events)) == (1, 1)


def test_a_number_is_not_used_again_within_a_turn(poller):
    """Two are ready; the first closes the other, and opens a socket, which would get its number
    and then its event.
    """
    sides = [socket.socketpair() for _ in range(2)]
    opened = []

    def react(events):
        if not opened:
            for ours, _ in sides:
                poller.close_socket(ours)
            opened.append(socket.socketpair())
            for sock in opened[0]:
                poller.add(sock.fileno(), newcomer)

    old, newcomer = Told(react), Told()
    numbers = [ours.fileno() for ours, _ in sides]
    for ours, _ in sides:
        poller.add(ours.fileno(), old, LEVEL)
    for _, theirs in sides:
        theirs.send(b"data")
    poller.turn(5)
    assert len(old.events) == 1
    assert newcomer.events == []
    assert not {sock.fileno() for sock in opened[0]} & set(numbers)
    assert all(ours.fileno() == -1 for ours, _ in sides)
    for sock in (*opened[0], *(theirs for _, theirs in sides)):
        sock.close()


def test_outside_of_a_turn_a_socket_closes_at_once(poller, pair):
    poller.add(pair[0].fileno(), Told())
    poller.close_socket(pair[0])
    assert pair[0].fileno() == -1
    assert len(poller) == 0


def test_one_that_fails_takes_no_other_with_it(poller, failures):
    def fail(events):
        raise RuntimeError("wrong")

    sides = [socket.socketpair() for _ in range(3)]
    told = [Told(fail if number == 1 else lambda events: None) for number in range(3)]
    for (ours, theirs), one in zip(sides, told, strict=True):
        poller.add(ours.fileno(), one, LEVEL)
        theirs.send(b"data")
    poller.turn(5)
    assert [len(one.events) for one in told] == [1] * 3
    assert [str(error) for error in failures] == ["wrong"]
    assert [one.broken for one in told] == [0, 1, 0]
    for pair in sides:
        for sock in pair:
            sock.close()


def test_those_who_pause_go_on_in_the_next_turn_which_does_not_wait(poller, failures):
    class Pausing:
        turns = 0

        def pump(self):
            self.turns += 1
            if self.turns < 3:
                poller.go_on(self)
            else:
                raise RuntimeError("enough")

        def broke(self):
            raise RuntimeError("more than enough")

    pausing = Pausing()
    poller.go_on(pausing)
    for _ in range(3):
        poller.turn(5)
    assert pausing.turns == 3
    assert [str(error) for error in failures] == ["enough", "more than enough"]
    began = time.monotonic()
    poller.turn(0.05)  # nobody is left
    assert time.monotonic() - began >= 0.04


def test_a_turn_is_asked_for_where_the_set_tells_of_nothing(failures):
    asked = []
    poller = Poller(4096, failures.append, asked.append)

    class Pausing:
        def pump(self):
            pass

    for number in range(1, 3):
        poller.go_on(Pausing())
        poller.go_on(Pausing())
        assert len(asked) == number
        asked[-1]()
    poller.go_on(Pausing())
    poller.close()
    asked[-1]()  # too late, and no harm
    assert failures == []


def test_one_turn_at_a_time_is_asked_for_though_the_set_causes_others(failures, pair):
    asked = []
    poller = Poller(4096, failures.append, asked.append)

    class Insatiable(Told):
        def pump(self):
            poller.go_on(self)

    poller.add(pair[0].fileno(), Insatiable(lambda events: poller.go_on(poller.who(number))))
    number = pair[0].fileno()
    for _ in range(20):
        pair[1].send(b"x")
        poller.turn(5)
        waiting = asked[:]
        asked.clear()
        for turn in waiting:
            turn()
        assert len(asked) == 1
    poller.close()


def test_who_reads_on_and_is_ready_too_is_not_told_ever_more_often(poller, pair):
    pumped = []

    class Insatiable(Told):
        def pump(self):
            pumped.append(1)
            poller.go_on(self)

    one = Insatiable(lambda events: one.pump())
    poller.add(pair[0].fileno(), one)
    for _ in range(20):
        pair[1].send(b"x")  # an edge for each turn
        poller.turn(5)
    assert len(pumped) <= 40


def test_laps_are_told_once_after_so_many_turns(poller):
    laps = []
    poller.lap_in(3, lambda: laps.append(1))
    for _ in range(7):
        poller.turn()
    assert laps == [1]
    poller.lap_in(2, lambda: laps.append(2))
    poller.lap_in(0, lambda: laps.append(3))
    for _ in range(5):
        poller.turn()
    assert laps == [1]


def test_who_was_ready_is_seen_where_somebody_asks(poller, pair):
    told = Told()
    poller.add(pair[0].fileno(), told, LEVEL)
    pair[1].send(b"data")
    poller.turn(5)
    assert poller.seen is None
    poller.seen = set()
    poller.turn(5)
    assert poller.seen == {pair[0].fileno()}
    assert poller.who(pair[0].fileno()) is told
    assert poller.who(pair[1].fileno()) is None


def test_it_is_readable_while_somebody_is_ready(poller, pair):
    poller.add(pair[0].fileno(), Told(), LEVEL)
    assert select.select([poller], [], [], 0)[0] == []
    pair[1].send(b"data")
    assert select.select([poller], [], [], 5)[0] == [poller]


@pytest.mark.parametrize(
    ("asked", "size"), [(4096, 32768), (256 << 10, 2 << 20), (1 << 20, 2 << 20)]
)
def test_one_read_takes_eight_times_the_limit_and_never_more_than_is_useful(asked, size):
    poller = Poller(asked, lambda error: None)
    assert poller.size == len(poller.buffer) == len(poller.view) == size
    poller.close()


class Slow(Told):
    """Takes a while for each event."""

    def __init__(self):
        super().__init__(lambda _: time.sleep(0.001))


@pytest.fixture
def crowd():
    """Two hundred connected pairs."""
    pairs = [socket.socketpair() for _ in range(200)]
    yield pairs
    for pair in pairs:
        for sock in pair:
            sock.close()


def test_what_is_carried_does_not_wait_for_a_crowd_that_leaves(poller, pair, crowd):
    leaving, carried = Slow(), Told()
    for ours, _ in crowd:
        poller.add(ours.fileno(), leaving, EDGES & ~select.EPOLLOUT)
    for _, theirs in crowd:
        theirs.close()
    poller.add(pair[0].fileno(), carried, EDGES & ~select.EPOLLOUT)
    pair[1].send(b"data")
    poller.turn(5)  # behind two hundred ends of 1 ms
    assert carried.events == [select.EPOLLIN]
    assert 1 <= len(leaving.events) < 20
    assert poller.has_more
    while poller.has_more:
        poller.turn()
    assert len(leaving.events) == len(crowd)


def test_who_is_patient_is_told_last(poller, crowd):
    order = []
    for number, (ours, theirs) in enumerate(crowd[:4]):
        told = Told(lambda _, number=number: order.append(number))
        poller.add(ours.fileno(), told, LEVEL, patient=number % 2 == 0)
        theirs.send(b"data")
    poller.turn(5)
    assert order == [1, 3, 0, 2]


def test_who_was_given_a_descriptor_is_not_patient(poller, pair, crowd):
    order = []
    (ours, theirs), (other, others) = pair, crowd[0]
    poller.add(other.fileno(), Told(lambda _: order.append("patient")), LEVEL, patient=True)
    poller.add(ours.fileno(), Told(), EDGES & ~select.EPOLLOUT, patient=True)
    poller.give(ours.fileno(), Told(lambda _: order.append("given")))
    others.send(b"data")
    theirs.send(b"data")
    poller.turn(5)
    assert order == ["given", "patient"]


def test_a_crowd_that_carries_leaves_others_their_turn_and_nobody_out(poller, crowd):
    carried = Slow()
    for ours, theirs in crowd:
        poller.add(ours.fileno(), carried, EDGES & ~select.EPOLLOUT)
        theirs.send(b"data")
    began = time.monotonic()
    poller.turn(5)
    assert len(carried.events) < 20
    assert time.monotonic() - began < 0.1
    while poller.has_more:
        poller.turn()
    assert len(carried.events) == len(crowd)


def test_an_event_that_waits_is_not_told_of_another_socket_of_that_number(poller, crowd):
    leaving = Slow()
    for ours, _ in crowd:
        poller.add(ours.fileno(), leaving, EDGES & ~select.EPOLLOUT)
    for _, theirs in crowd:
        theirs.close()
    poller.turn(5)
    before = len(leaving.events)
    for ours, _ in crowd:
        poller.remove(ours.fileno())
    assert not poller.has_more
    again = Told()
    poller.add(crowd[-1][0].fileno(), again, LEVEL)
    poller.turn()
    assert len(leaving.events) == before
    assert len(again.events) == 1


def test_who_has_more_than_a_turn_gives_goes_on_in_the_next(poller):
    class Long:
        pumped = 0

        def pump(self):
            self.pumped += 1
            time.sleep(0.003)

    many = [Long() for _ in range(10)]
    for one in many:
        poller.go_on(one)
    poller.turn()
    assert 1 <= sum(one.pumped for one in many) < 10
    while poller.has_more:
        poller.turn()
    assert [one.pumped for one in many] == [1] * 10
