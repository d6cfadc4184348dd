def test_maintenance_is_taken_back(verb):
    assert verb("maint", "web").code == 0
    assert verb("ready", "web").code == 0
    (route,) = verb("status", "--json").json["routes"]
    assert [(one["admin"], one["usable"]) for one in route["endpoints"]] == [("ready", True)]


def test_a_route_that_is_not_there(verb):
    done = verb("ready", "webb")
    assert done.code == 3
    assert 'did you mean "web"?' in done.err
