import pytest

from ambassador.planes.relay.client import client_name


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (("192.168.1.9", 40312), "192.168.1.9:40312"),
        (("::ffff:192.168.1.9", 40312, 0, 0), "192.168.1.9:40312"),
        (("fd00::9", 40312, 0, 0), "[fd00::9]:40312"),
        (("fe80::1%eth0", 1, 0, 2), "[fe80::1%eth0]:1"),
        ("", "unix"),
        (b"\x00abstract", "unix"),
    ],
)
def test_a_client_is_named_as_people_write_addresses(address, name):
    assert client_name(address) == name
