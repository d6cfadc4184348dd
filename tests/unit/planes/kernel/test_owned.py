"""A table of our own is made in one batch; the kernel judges what is in it in tests/kernel."""

from itertools import count

from ambassador.planes.kernel.messages import messages
from ambassador.planes.kernel.owned import Chain, batch, compare, expression


def test_it_is_one_batch_whose_last_request_that_is_answered_has_the_last_number():
    numbers = count(1)
    rule = expression("meta", b"") + compare(b"\x06")
    chains = [Chain("a", "filter", 0, -89, [rule, rule]), Chain("b", "filter", 3, 301, [])]
    whole = b"".join(batch("ambassador-1", chains, lambda: next(numbers)))
    found = [(kind, number) for kind, number, *_ in messages(whole)]
    assert [kind for kind, _ in found] == [16, 0xA00, 0xA03, 0xA06, 0xA06, 0xA03, 17]
    assert found[-2][1] == next(numbers) - 1
    assert found[-1][1] == 0
    assert whole.count(b"ambassador-1\0") == 5
