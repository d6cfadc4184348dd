import os
from dataclasses import replace

import pytest

from ambassador.core.admission import admits
from ambassador.errors import ConfigError
from ambassador.model import Endpoint, Inet, Route, Unix
from ambassador.sources.networks import LARGEST, NetworkLists

ROUTE = Route("redis", Inet("", 6379), (Endpoint(Inet("h", 1)),))


def route(**options):
    return Route("redis", options.pop("listen", ROUTE.listen), ROUTE.endpoints, **options)


def test_where_nothing_is_said_everybody_comes_in():
    assert NetworkLists()(ROUTE) is ROUTE


def test_the_setting_counts_where_the_route_says_nothing():
    lists = NetworkLists(("10.0.0.0/8",))
    assert not admits(lists(ROUTE).admitted, "192.0.2.1")
    assert admits(lists(route(allow=("192.0.2.0/24",))).admitted, "192.0.2.1")
    assert lists(route(allow=("0.0.0.0/0", "::/0"))).admitted is None
    assert not admits(lists(route(deny=("10.0.0.9",))).admitted, "10.0.0.9")


def test_a_route_keeps_the_same_object_while_nothing_changes():
    lists = NetworkLists(("10.0.0.0/8",))
    first = lists(ROUTE)
    assert lists(first) is first
    assert lists(route()).admitted is first.admitted


def test_allow_and_deny_that_leave_nobody_are_refused():
    with pytest.raises(ConfigError, match=r"nobody may come in: allow=10\.0\.0\.0/8, deny=all"):
        NetworkLists()(route(allow=("10.0.0.0/8",), deny=("0.0.0.0/0", "::/0")))


def test_where_clients_have_no_address_networks_are_refused_but_not_those_of_the_setting():
    lists = NetworkLists(("10.0.0.0/8",))
    plain = route(listen=Unix("/run/s"))
    assert lists(plain) is plain
    for key in ("allow", "deny"):
        with pytest.raises(ConfigError, match=f"{key} has no meaning at unix:///run/s"):
            lists(route(listen=Unix("/run/s"), **{key: ("10.0.0.0/8",)}))


def test_a_file_counts_as_it_was_last_good(tmp_path):
    path = tmp_path / "allow"
    path.write_text("10.0.0.0/8\n")
    lists, named = NetworkLists(), route(allow=(f"@{path}",))
    assert admits(lists(named).admitted, "10.0.0.1")
    assert lists.files(named) == {str(path)}
    assert not lists.files(ROUTE)
    path.write_text("10.0.0.1/8\n")
    with pytest.raises(ConfigError, match=r"line 1: .* has host bits"):
        lists.renew(str(path), [named])
    assert admits(lists(named).admitted, "10.0.0.1")
    path.write_text("fd00::/8\n")
    lists.renew(str(path), [named])
    assert not admits(lists(named).admitted, "10.0.0.1")


def test_a_file_that_leaves_nobody_is_not_taken_over(tmp_path):
    path = tmp_path / "deny"
    path.write_text("10.1.0.0/16\n")
    lists, named = NetworkLists(), route(allow=("10.0.0.0/8",), deny=(f"@{path}",))
    before = lists(named).admitted
    path.write_text("10.0.0.0/8\n")
    with pytest.raises(ConfigError, match="nobody may come in"):
        lists.renew(str(path), [named])
    assert lists(named).admitted is before


def test_a_file_that_no_route_names_any_longer_is_read_anew_when_one_does(tmp_path):
    path = tmp_path / "allow"
    path.write_text("10.0.0.0/8\n")
    lists, named = NetworkLists(), route(allow=(f"@{path}",))
    lists(named)
    lists.keep_only(())
    path.write_text("fd00::/8\n")
    assert admits(lists(named).admitted, "fd00::1")


def test_what_is_no_file_that_can_be_read_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"#" * (LARGEST + 1))
    (tmp_path / "empty").touch()
    for name, what in (
        ("away", "cannot be read: no such file or directory"),
        ("pipe", "is not a regular file"),
        ("large", "is larger than 4 MiB"),
        ("empty", "names no network"),
    ):
        with pytest.raises(ConfigError, match=f"{name}: {what}"):
            NetworkLists()(route(allow=(f"@{tmp_path / name}",)))


def test_identities_of_a_file_count_beside_those_of_the_route_as_they_were_last_good(tmp_path):
    path = tmp_path / "peers"
    path.write_text("client-server # the first\nspiffe://x/*, backup\n")
    lists, named = NetworkLists(), route(peers=("operator", f"@{path}"))
    assert lists(named).let_in == ("operator", "client-server", "spiffe://x/*", "backup")
    assert lists(lists(named)) == lists(named)
    assert lists.files(named) == {str(path)}
    assert not lists.files(ROUTE)
    for text, what in (
        ("client server!\n", "line 1: is not a name"),
        ("# nobody\n", "names no identity"),
        (f"@{path}\n", "line 1: names no other file"),
        ("tls://a\n", "line 1: tls:// is the address of an endpoint"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=what):
            lists.renew(str(path), [named])
        assert "client-server" in lists(named).let_in
    path.write_text("backup\n")
    lists.renew(str(path), [named])
    assert lists(named).let_in == ("operator", "backup")
    assert lists(replace(lists(named), peers=())).let_in == ()
    lists.keep_only(())
    path.write_text("another\n")
    assert lists(named).let_in == ("operator", "another")


def test_a_file_of_identities_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match="away: cannot be read") as raised:
        NetworkLists()(route(peers=(f"@{tmp_path / 'away'}",)))
    assert "client-server" in str(raised.value.problems[0].example)
