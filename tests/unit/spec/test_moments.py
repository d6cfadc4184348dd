from ambassador.spec.moments import format_moment


def test_a_moment_has_its_zone():
    assert format_moment(0.9) == "1970-01-01 00:00:00 UTC"
