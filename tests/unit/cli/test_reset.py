from tests.unit.cli.operated import url


def test_what_the_sources_say_counts_again(verb, operated):
    assert verb("move", "web", url(operated.second)).code == 0
    status = verb("status").out
    assert "web: moved by uid " in status
    assert f"says {url(operated.first)}" in status
    assert verb("reset", "web").code == 0
    (route,) = verb("status", "--json").json["routes"]
    assert [one["endpoint"] for one in route["endpoints"]] == [url(operated.first)]
    assert verb("reset", "web").code == 4


def test_one_or_all_must_be_said(verb):
    assert verb("reset").code == 2
    assert verb("reset", "web", "--all").code == 2
    assert verb("hold", "web").code == 0
    assert verb("reset", "--all").code == 0
    (route,) = verb("status", "--json").json["routes"]
    assert route["hold"] is None
