from dataclasses import replace

import pytest

from ambassador.core.plan import AddRoute, ChangeRoute, RemoveRoute, plan
from ambassador.model import Endpoint, Inet, Pick, Proto, Route

A = Route("a", Inet("", 1), (Endpoint(Inet("h", 1)),))
B = Route("b", Inet("", 2), (Endpoint(Inet("h", 2)),))


def test_from_nothing_everything_is_added():
    assert plan((), (A, B)) == (AddRoute(A), AddRoute(B))


def test_to_nothing_everything_is_removed():
    assert plan((A, B), ()) == (RemoveRoute(A), RemoveRoute(B))


def test_what_is_installed_already_needs_no_step():
    assert plan((A, B), (B, A)) == ()


def test_where_a_route_comes_from_is_no_change():
    assert plan((A,), (replace(A, origin="file"),)) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"endpoints": (Endpoint(Inet("g", 1)),)},
        {"endpoints": (Endpoint(Inet("h", 1), weight=2),)},
        {"pick": Pick.FIRST},
        {"connect": 1.0},
        {"keepalive": 0.0},
    ],
)
def test_other_endpoints_or_options_change_a_route_in_place(change):
    changed = replace(A, **change)
    assert plan((A, B), (changed, B)) == (ChangeRoute(A, changed),)


@pytest.mark.parametrize(
    "change", [{"listen": Inet("", 9)}, {"listen": Inet("::1", 1)}, {"proto": Proto.UDP}]
)
def test_another_listen_address_or_protocol_is_another_route(change):
    changed = replace(A, **change)
    assert plan((A, B), (changed, B)) == (RemoveRoute(A), AddRoute(changed))


def test_removals_come_first_so_that_an_address_can_become_a_wider_one():
    wider = replace(B, listen=Inet("", 1))
    narrow = replace(A, listen=Inet("127.0.0.1", 1))
    assert plan((A, narrow), (wider, B)) == (
        RemoveRoute(narrow),
        ChangeRoute(A, wider),
        AddRoute(B),
    )


def test_a_renamed_route_lives_on():
    renamed = replace(A, name="a-1")
    assert plan((A,), (renamed,)) == (ChangeRoute(A, renamed),)


def test_two_routes_that_swap_their_addresses_are_changed_in_place():
    a, b = replace(A, listen=B.listen), replace(B, listen=A.listen)
    assert plan((A, B), (a, b)) == (ChangeRoute(B, a), ChangeRoute(A, b))


def test_tcp_and_udp_on_one_port_are_two_routes():
    udp = replace(A, proto=Proto.UDP)
    assert plan((A,), (A, udp)) == (AddRoute(udp),)
