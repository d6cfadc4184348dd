from ambassador.model import Proto, Ranges
from ambassador.planes.kernel.entrance import Entrance, closed, replaced
from ambassador.planes.kernel.ruleset import Share, Way, emptied, entrances, transaction

A = Share("10.0.0.1", 1)
OFFICE, HOME = Ranges((0x0A000000,), (0x0AFFFFFF,)), Ranges((0xC0A80107,), (0xC0A80107,))


def way(port, who):
    return Way(Proto.TCP, port, False, (A,), admitted=who)


def test_a_set_has_addresses_and_ranges_and_its_chain_leads_to_that_of_the_way():
    one = Entrance(False, Ranges((1, 0x0A000000), (1, 0x0AFFFFFF)), "one4")
    assert "typeof ip saddr; flags interval;" in one.elements()
    assert one.elements().endswith("{ 0.0.0.1, 10.0.0.0/8 }; }\n")
    assert one.rules().endswith(f"ip saddr @{one.set} goto one4")
    six = Entrance(True, Ranges((1,), (2,)), "one6")
    assert six.elements().endswith("{ ::1-::2 }; }\n")


def test_a_way_with_networks_is_entered_through_them():
    ((_, _, first), _) = way(1, OFFICE).elements()
    assert first == f"goto {Entrance(False, OFFICE, 'one4').chain}"


def test_routes_with_the_same_networks_have_one_set():
    come, gone = entrances(
        [way(1, OFFICE)], [way(1, OFFICE), way(2, Ranges((0x0A000000,), (0x0AFFFFFF,)))]
    )
    assert (come, gone) == ("", "")


def test_a_set_comes_before_it_is_needed_and_goes_with_the_last_that_needs_it():
    office, home = Entrance(False, OFFICE, "one4"), Entrance(False, HOME, "one4")
    come, gone = replaced([office, office], [office, home])
    assert come == home.elements()
    assert gone == ""
    come, gone = replaced([office], [home])
    assert gone == (
        f"delete chain inet ambassador {office.chain}\n"
        f"flush set inet ambassador {office.set}\ndelete set inet ambassador {office.set}\n"
    )


def test_a_set_stays_for_another_kind_of_way():
    spread = Entrance(False, OFFICE, "spread4_tcp_5432")
    _, gone = replaced([Entrance(False, OFFICE, "one4"), spread], [spread])
    assert "delete set" not in gone
    assert "delete chain" in gone


def test_what_an_earlier_process_left_goes_with_its_sets_before_the_chains_it_leads_to():
    spread = Entrance(False, OFFICE, "spread4_tcp_5432")
    lines = emptied(["one4", spread.chain, "spread4_tcp_5432"]).splitlines()
    wanted = [*"\n".join(closed([spread.chain])).splitlines()]
    wanted.append("delete chain inet ambassador spread4_tcp_5432")
    wanted = [line for line in wanted if line.startswith("delete")]
    assert [line for line in lines if line.startswith("delete")] == wanted


def test_an_entrance_goes_before_the_chain_it_leads_to():
    several = Way(Proto.TCP, 1, False, (A, Share("10.0.0.2", 1)), admitted=OFFICE)
    one = way(1, OFFICE)
    come, gone = entrances([several], [one])
    text = transaction({several.key: several}, {one.key: one}, gone)
    assert come == ""
    assert text.index(f"delete chain inet ambassador {several.entrance.chain}") < text.index(
        f"delete chain inet ambassador {several.chain}\n"
    )
