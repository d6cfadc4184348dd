from tests.unit.cli.operated import url


def test_changes_are_listed_the_newest_first(verb, operated):
    assert verb("hold", "web").code == 0
    assert verb("release", "web").code == 0
    done = verb("move", "web", operated.dead)
    assert done.code == 5
    first, second, third = verb("history", "web", "--json").json["changes"][:3]
    assert first["outcome"].startswith(f"failed: {operated.dead} does not answer")
    assert (second["what"], second["outcome"], second["last"]) == ("web released", "done", True)
    assert (third["what"], third["last"]) == ("web held", False)
    table = verb("history").out.splitlines()
    assert table[0].split() == ["CHANGE", "WHEN", "ROUTE", "WHAT", "BY", "OUTCOME"]
    assert "web released" in table[2]
    assert table[2].endswith("done, last")


def test_so_many_at_most(verb, operated):
    assert verb("move", "web", url(operated.second)).code == 0
    assert verb("move", "web", url(operated.first)).code == 0
    lines = verb("history", "web", "--limit", "1").out.splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("... and ")
    assert verb("history", "wbe").code == 3
