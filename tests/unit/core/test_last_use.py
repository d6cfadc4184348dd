from ambassador.core.last_use import ByLastUse, Used


def kept(*flows):
    table = ByLastUse()
    for flow in flows:
        table.add(flow)
    return table


def test_a_flow_is_found_by_its_key_until_it_is_removed():
    flow = Used("a", 0.0)
    table = kept(flow)
    assert table.get("a") is flow
    assert table.get("b") is None
    assert flow in table
    assert Used("a", 0.0) not in table
    table.remove(flow)
    assert table.get("a") is None
    assert len(table) == 0
    assert table.oldest() is None


def test_the_oldest_is_the_one_not_used_for_longest():
    a, b, c = Used("a", 0.0), Used("b", 0.0), Used("c", 0.0)
    table = kept(a, b, c)
    table.use(a, 1.0)
    table.use(b, 2.0)
    assert table.oldest() is c
    table.use(c, 3.0)
    assert table.oldest() is a
    assert list(table) == [a, b, c]


def test_idle_flows_are_those_silent_for_the_limit():
    a, b, c = Used("a", 1.0), Used("b", 2.0), Used("c", 3.0)
    table = kept(a, b, c)
    assert table.idle(10.0, 8.0) == [a, b]
    assert table.idle(10.0, 9.1) == []
    assert table.idle(13.0, 10.0) == [a, b, c]


def test_the_next_idle_moment_is_that_of_the_oldest():
    a, b = Used("a", 1.0), Used("b", 2.0)
    table = kept(a, b)
    assert table.next_idle(60.0) == 61.0
    table.use(a, 5.0)
    assert table.next_idle(60.0) == 62.0
    assert kept().next_idle(60.0) is None


def test_flows_may_be_removed_while_they_are_walked():
    table = kept(Used("a", 0.0), Used("b", 0.0))
    for flow in table:
        table.remove(flow)
    assert len(table) == 0
