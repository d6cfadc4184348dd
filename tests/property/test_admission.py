"""What the standard library says of networks holds for who may come in."""

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from ambassador.core.admission import admits, admitted, is_nobody
from ambassador.spec.networks import (
    EVERYBODY,
    format_networks,
    network_of,
    parse_network_lines,
    parse_networks,
)

# Few bits differ, so that networks hold, touch and cut each other.
_NUMBERS4 = st.integers(0, 63).map(lambda low: 0x0A000000 | low)
_NUMBERS6 = st.integers(0, 63).map(lambda low: 0xFD << 120 | low)
V4 = st.builds(
    lambda number, prefix: IPv4Network((number, prefix), strict=False),
    _NUMBERS4,
    st.one_of(st.integers(24, 32), st.just(0)),
)
V6 = st.builds(
    lambda number, prefix: IPv6Network((number, prefix), strict=False),
    _NUMBERS6,
    st.one_of(st.integers(120, 128), st.just(0)),
)
NETWORKS = st.lists(st.one_of(V4, V6), max_size=8)
CLIENTS = st.one_of(_NUMBERS4, _NUMBERS6).map(ip_address)


def numbers(networks):
    return [network_of(str(network)) for network in networks]


@given(NETWORKS, NETWORKS, CLIENTS)
def test_a_client_comes_in_as_the_standard_library_judges_it(allow, deny, client):
    who = admitted(numbers(allow), numbers(deny))
    expected = any(client in n for n in allow) and not any(client in n for n in deny)
    assert admits(who, str(client)) is expected


@given(NETWORKS, CLIENTS)
def test_without_an_allow_list_everybody_comes_in_but_those_that_are_denied(deny, client):
    who = admitted(numbers(EVERYBODY), numbers(deny))
    assert admits(who, str(client)) is not any(client in n for n in deny)


@given(st.lists(V4, max_size=4), st.lists(V4, max_size=4), _NUMBERS4)
def test_a_mapped_address_is_judged_as_the_ipv4_address_it_is(allow, deny, number):
    who = admitted(numbers(allow), numbers(deny))
    plain = str(ip_address(number))
    assert admits(who, f"::ffff:{plain}") is admits(who, plain)


@given(V4)
def test_a_mapped_network_is_the_ipv4_network_it_is(network):
    base = IPv6Address((0xFFFF << 32) | int(network.network_address))
    assert network_of(f"{base}/{96 + network.prefixlen}") == network_of(str(network))


@given(NETWORKS, NETWORKS)
def test_ranges_ascend_and_never_touch(allow, deny):
    who = admitted(numbers(allow), numbers(deny))
    for ranges in (who.ipv4, who.ipv6):
        assert all(f <= last for f, last in zip(ranges.firsts, ranges.lasts, strict=True))
        gaps = zip(ranges.lasts, ranges.firsts[1:], strict=False)
        assert all(last + 1 < first for last, first in gaps)
    assert is_nobody(who) is not (who.ipv4.firsts or who.ipv6.firsts)


@given(NETWORKS)
def test_what_is_written_is_read_again(networks):
    found = parse_networks(",".join(map(str, networks)) or "off")
    assert parse_networks(format_networks(found)) == found
    assert {ip_network(one) for one in found} == set(networks)


@given(NETWORKS.filter(bool), st.sampled_from(["\n", ", ", " # who\n", "\r\n", "\n\n\t"]))
def test_a_file_has_them_in_any_form(networks, between):
    assert parse_network_lines(between.join(map(str, networks)), "f") == numbers(networks)


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_host_bits_are_refused_just_where_the_standard_library_does(number, prefix):
    text = f"{ip_address(number)}/{prefix}"
    try:
        expected = ip_network(text)
    except ValueError:
        expected = None
    try:
        found = network_of(text)
    except Exception as error:
        assert expected is None
        assert str(ip_network(text, strict=False)) in str(error)
    else:
        assert (found.first, found.last) == (int(expected[0]), int(expected[-1]))
