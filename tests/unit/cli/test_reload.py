def test_the_sources_are_read_again(verb):
    done = verb("reload")
    assert (done.code, done.out, done.err) == (0, "reloaded: 0 changes\n", "")
