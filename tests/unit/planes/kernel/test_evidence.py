"""The table of what follows from evidence, cell by cell."""

import pytest

from ambassador.planes.kernel.evidence import (
    FIRST,
    LONGEST,
    Doubt,
    Event,
    Fault,
    Kind,
    Saying,
    Suspect,
    out,
    step,
)

LOST = Fault(Kind.LOST, "clients come back")
DROPPED = Fault(Kind.FIREWALL, "chain f drops forwarded packets")
NOW = 100.0
OUT = Doubt(LOST, NOW, pause=10.0)
SEEN = Doubt(DROPPED, NOW, pause=10.0)
TRIAL = OUT._replace(out=False)
TOLD = SEEN._replace(out=False, said=False)  # tried again, and it is said that it is back
LONGER = OUT._replace(until=NOW + 20.0, pause=20.0)


@pytest.mark.parametrize(
    ("doubt", "event", "after", "said"),
    [
        (None, Event.FAILS, Doubt(LOST, NOW + FIRST), "out"),
        (None, Event.WORKS, None, "nothing"),
        (None, Event.STILL, None, "nothing"),
        (None, Event.WELL, None, "nothing"),
        (None, Event.UNTOLD, None, "nothing"),
        (OUT, Event.FAILS, OUT._replace(until=NOW + FIRST), "nothing"),
        (OUT._replace(until=130.0), Event.FAILS, OUT._replace(until=130.0), "nothing"),
        (OUT, Event.WORKS, None, "back"),
        (OUT, Event.STILL, LONGER, "nothing"),
        (OUT, Event.WELL, OUT._replace(until=NOW + 20.0, out=False, said=False), "back"),
        (OUT, Event.UNTOLD, OUT._replace(until=NOW + 20.0, out=False), "nothing"),
        (SEEN, Event.FAILS, Doubt(LOST, NOW + FIRST, 10.0), "out"),  # by something else now
        (SEEN, Event.STILL, SEEN._replace(until=NOW + 10.0), "nothing"),
        (TRIAL, Event.FAILS, LONGER, "nothing"),
        (TRIAL, Event.WORKS, None, "back"),
        (TRIAL, Event.STILL, None, "back"),
        (TRIAL, Event.WELL, None, "back"),
        (TRIAL, Event.UNTOLD, None, "back"),
        (TOLD, Event.FAILS, LONGER, "out"),
        (TOLD, Event.WORKS, None, "nothing"),
        (TOLD, Event.UNTOLD, None, "nothing"),
    ],
)
def test_what_follows_from_evidence(doubt, event, after, said):
    fault = LOST if event is Event.FAILS else None
    assert step(doubt, event, NOW, fault) == (after, Saying(said))


def test_what_fails_again_and_again_is_out_for_longer_and_longer_and_said_once():
    doubt, now, pauses, said = None, 0.0, [], []
    for _ in range(9):
        doubt, saying = step(doubt, Event.FAILS, now, LOST)
        pauses.append(doubt.pause)
        said.append(saying)
        now = doubt.until
        doubt, _ = step(doubt, Event.UNTOLD, now)
        now += 1.0
    assert pauses == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, LONGEST, LONGEST, LONGEST]
    assert said == [Saying.OUT, *[Saying.NOTHING] * 8]


def test_a_firewall_that_changes_every_second_lets_clients_in_more_and_more_rarely():
    doubt, tried = None, 0
    for second in range(600):
        dropped = second % 2 == 0
        if dropped and (doubt is None or not doubt.out):
            doubt, _ = step(doubt, Event.FAILS, second, DROPPED)
        elif doubt is not None and doubt.until <= second:
            tried += doubt.out and not dropped
            doubt, _ = step(doubt, Event.STILL if dropped else Event.WELL, second)
    assert 0 < tried < 10


def test_what_is_tried_again_is_not_out():
    first, second = Suspect(None, "", False), Suspect(None, "", True)
    assert out({first: OUT, second: TRIAL}) == {first: OUT}
