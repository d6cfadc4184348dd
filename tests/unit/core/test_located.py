from ambassador.core.located import at


def test_an_address_with_a_port_of_its_own_is_there():
    assert at("10.0.0.2#32768", 6379) == ("10.0.0.2", 32768)
    assert at("fd00::2#80", 1) == ("fd00::2", 80)


def test_any_other_has_the_endpoints_port():
    assert at("10.0.0.2", 6379) == ("10.0.0.2", 6379)
    assert at("fe80::1%eth0", 80) == ("fe80::1%eth0", 80)
