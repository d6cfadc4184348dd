from dataclasses import replace

from ambassador.cli.frame import Film
from ambassador.core.results import HoldView, RouteView, StatusView

ROUTE = RouteView(
    name="redis", listen=":6379", endpoints=(), plane="relay", why="", open=2, opened=10,
    refused=0, held=0, to_upstream=1000, to_client=2048, existing="keep", origin="a test",
)  # fmt: skip
VIEW = StatusView("ready", "1.2.3", 7, 60.0, (ROUTE,))


def film(*views):
    film = Film()
    for second, view in enumerate(views):
        film.add(view, float(second))
    return film


def test_rates_are_the_difference_of_two_looks():
    later = replace(ROUTE, opened=15, to_upstream=1000 + 3072, to_client=2048)
    first, blank, head, row = film(VIEW, replace(VIEW, routes=(later,))).lines(80, 24)
    assert first == "ready for 1 m 0 s, ambassador 1.2.3, pid 7   1 route, 2 open"
    assert blank == ""
    words = ["ROUTE", "LISTEN", "PLANE", "USABLE", "OPEN", "HELD", "NEW/S", "UP/S", "DOWN/S"]
    assert head.split() == words
    usable = ["0", "of", "0"]
    assert row.split() == [
        "redis",
        ":6379",
        "relay",
        *usable,
        "2",
        "-",
        "5",
        "3.0",
        "KiB",
        "0",
        "B",
    ]


def test_a_wide_terminal_has_plots_as_wide_as_fit():
    views = [replace(VIEW, routes=(replace(ROUTE, opened=opened),)) for opened in (0, 1, 3, 7)]
    *_, head, row = film(*views).lines(120, 24)
    assert head.rstrip().endswith("BYTES/S")
    assert "▃▅█" in row
    assert row.rstrip().endswith("▁▁▁")
    assert max(map(len, film(*views).lines(120, 24))) <= 120


def test_what_has_no_room_is_counted():
    views = replace(VIEW, routes=tuple(replace(ROUTE, name=f"r{n}") for n in range(30)))
    lines = film(views, views).lines(60, 10)
    assert len(lines) == 10
    assert lines[-1] == "... and 24 more"
    assert lines[-2].startswith("r5 ")
    assert all(len(line) <= 20 for line in film(views).lines(20, 5))
    assert film(views).lines(80, 0) == []


def test_a_route_that_is_new_or_gone_or_began_anew_has_no_odd_rate():
    other = replace(ROUTE, name="db", opened=500)
    again = replace(ROUTE, opened=0)
    looks = film(VIEW, replace(VIEW, routes=(again, other)), replace(VIEW, routes=(other,)))
    assert looks.lines(80, 24)[-1].split()[6:9] == ["2", "-", "0"]


def test_who_waits_is_shown():
    held = replace(ROUTE, hold=HoldView(4, 10, 30.0))
    assert film(replace(VIEW, routes=(held,))).lines(80, 24)[-1].split()[7] == "4"


def test_before_the_first_look_there_is_nothing():
    assert Film().lines(80, 24) == []
