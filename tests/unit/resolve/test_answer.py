from ambassador.resolve.answer import Answer


def test_each_address_once_ipv4_first_and_else_as_they_came():
    came = ["fd00::2", "10.0.0.9", "fd00::1", "10.0.0.1", "10.0.0.9"]
    assert Answer.of(came, 5) == Answer(("10.0.0.9", "10.0.0.1", "fd00::2", "fd00::1"), 5)
