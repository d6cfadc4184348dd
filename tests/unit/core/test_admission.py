import pytest

from ambassador.core.admission import admits, admitted, host_of, is_nobody, senders_of
from ambassador.spec.networks import EVERYBODY, network_of


def of(*networks):
    return [network_of(network) for network in networks]


def test_a_hole_of_the_allow_list_is_left_out():
    who = admitted(of("10.0.0.0/8"), of("10.1.0.0/16"))
    assert admits(who, "10.0.255.255")
    assert not admits(who, "10.1.0.0")
    assert not admits(who, "10.1.255.255")
    assert admits(who, "10.2.0.0")
    assert not admits(who, "fd00::1")


def test_where_a_header_is_required_of_all_whoever_connects_may_send_it():
    assert senders_of(EVERYBODY) is None
    senders = senders_of(("10.0.0.0/8", "fd00::1"))
    assert [admits(senders, host) for host in ("::ffff:10.1.2.3", "fd00::1", "fd00::2")] == [
        True,
        True,
        False,
    ]


def test_a_zone_does_not_count():
    assert admits(admitted(of("fe80::/10"), ()), "fe80::1%eth0")


def test_allow_and_deny_that_leave_nobody_are_seen():
    assert is_nobody(admitted(of("10.0.0.0/8"), of("0.0.0.0/0")))
    assert not is_nobody(admitted(of("10.0.0.0/8"), of("10.0.0.0/9")))
    assert is_nobody(admitted(of(*EVERYBODY), of("0.0.0.0/0", "::/0")))


@pytest.mark.parametrize(
    ("client", "host"),
    [("10.0.0.9:40312", "10.0.0.9"), ("[fd00::9]:1", "fd00::9"), ("unix", "")],
)
def test_the_host_of_a_client_as_sessions_names_it(client, host):
    assert host_of(client) == host
