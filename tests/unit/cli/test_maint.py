def test_an_endpoint_is_as_if_it_had_left(verb, operated):
    done = verb("maint", f"127.0.0.1:{operated.first.port}")
    assert (done.code, done.err) == (0, "")
    (route,) = verb("status", "--json").json["routes"]
    assert [(one["admin"], one["usable"]) for one in route["endpoints"]] == [("maint", False)]
    assert f"127.0.0.1:{operated.first.port} (maint)" in verb("status").out
