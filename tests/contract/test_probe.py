"""What ports.Probe and ports.Dialogue promise, of each probe; what each protocol says stands in
tests/unit/probes.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambassador.model import Proto
from ambassador.ports import Dialogue
from ambassador.probes.table import TABLE, probe_of

PROBES = {**TABLE, "dns over UDP": lambda: probe_of("dns", Proto.UDP)}
each = pytest.mark.parametrize("make", PROBES.values(), ids=PROBES)
answers = st.lists(st.binary(max_size=40), max_size=4)


@each
@pytest.mark.parametrize("host", ["db1", "10.0.0.1", "fd00::1", ""])
def test_a_question_is_bytes_and_always_the_same(make, host):
    probe = make()
    question = probe.question(host)
    assert isinstance(question, bytes)
    assert probe.question(host) == question == make().question(host)


@each
@given(pieces=answers)
def test_a_judgement_is_of_all_that_was_read_and_keeps_no_state(make, pieces):
    probe, read = make(), b""
    for piece in pieces:
        read += piece
        found = probe.judge(read)
        assert found is None or isinstance(found, str)
        assert found == make().judge(read)


@each
@given(pieces=answers)
def test_what_was_said_is_never_taken_back(make, pieces):
    probe, read, said = make(), b"", b""
    if not isinstance(probe, Dialogue):
        return
    for piece in pieces:
        read += piece
        reply = probe.reply(read)
        assert reply.startswith(said)
        said = reply
