"""How an endpoint that comes gets its part."""

from ambassador.core.slow import share


def test_it_grows_from_a_tenth_to_all():
    assert [share(elapsed, 30.0) for elapsed in (0.0, 1.0, 15.0, 30.0, 99.0)] == [
        *(0.1, 0.1, 0.5, 1.0, 1.0)
    ]
    assert share(0.0, 0.0) == 1.0
