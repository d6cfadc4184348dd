"""Whatever is said to a probe, and in whatever pieces, it comes to one verdict."""

from hypothesis import example, given
from hypothesis import strategies as st

from ambassador.ports import Dialogue
from ambassador.probes.dns import DnsProbe
from ambassador.probes.table import TABLE

probes = st.sampled_from([*(make() for make in TABLE.values()), DnsProbe(stream=False)])
packet = st.binary(max_size=40).map(lambda text: len(text).to_bytes(3, "little") + b"\2" + text)
answers = (
    st.binary(max_size=200)
    | st.lists(packet, max_size=4).map(b"".join)
    | st.sampled_from([b"+PONG\r\n", b"INFO {}\r\n", b"ab\x81\x80" + b"\0" * 10])
)


@given(probes, answers)
@example(TABLE["mysql"](), b"\1\0\0\0\xff")
def test_any_answer_is_judged(probe, answer):
    assert isinstance(probe.question("db"), bytes)
    verdict = probe.judge(answer)
    assert verdict is None or isinstance(verdict, str)


@given(probes, answers, st.data())
def test_what_is_decided_stays_decided(probe, answer, data):
    if isinstance(probe, DnsProbe) and not probe._stream:
        return  # a datagram comes whole
    cut = data.draw(st.integers(0, len(answer)))
    if isinstance(probe, Dialogue):
        assert probe.reply(answer).startswith(probe.reply(answer[:cut]))
    early = probe.judge(answer[:cut])
    if early == "":
        assert probe.judge(answer) == ""
