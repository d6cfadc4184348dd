import pytest

from ambassador.core.pick import arrange, cycle, order
from ambassador.model import Endpoint, Inet, Pick

A, B, C = (Endpoint(Inet("10.0.0.1", port)) for port in (1, 2, 3))


def pick(kind, endpoints=(A, B, C), **facts):
    count = len(endpoints)
    return order(
        endpoints,
        kind,
        turn=facts.get("turn", 0),
        places=cycle([endpoint.weight for endpoint in endpoints]),
        open_sessions=facts.get("open_sessions", [0] * count),
        failed=facts.get("failed", [False] * count),
        chance=facts.get("chance", 0.0),
        client=facts.get("client", ""),
    )


def test_a_cycle_spreads_the_heavy_index_instead_of_repeating_it():
    assert cycle([5, 1, 1]) == (0, 0, 1, 0, 2, 0, 0)


@pytest.mark.parametrize(
    ("weights", "places"),
    [
        ([], ()),
        ([1], (0,)),
        ([7], (0,)),
        ([1, 1, 1], (0, 1, 2)),
        ([100, 50], (0, 1, 0)),
        ([1, 2], (1, 0, 1)),
    ],
)
def test_a_cycle_is_as_short_as_the_weights_allow(weights, places):
    assert cycle(weights) == places


def test_round_robin_begins_one_place_later_each_turn_and_then_anew():
    assert [pick(Pick.ROUNDROBIN, turn=turn) for turn in range(4)] == [
        (0, 1, 2),
        (1, 2, 0),
        (2, 0, 1),
        (0, 1, 2),
    ]


def test_round_robin_gives_each_its_weight():
    heavy = Endpoint(Inet("10.0.0.1", 9), weight=3)
    firsts = [pick(Pick.ROUNDROBIN, (A, heavy), turn=turn)[0] for turn in range(8)]
    assert firsts.count(1) == 6


def test_first_keeps_the_order_written_whatever_the_turn():
    assert {pick(Pick.FIRST, turn=turn, chance=0.9) for turn in range(5)} == {(0, 1, 2)}


def test_least_takes_the_fewest_open_sessions():
    assert pick(Pick.LEAST, open_sessions=[4, 1, 2]) == (1, 2, 0)


def test_least_counts_sessions_by_weight_and_ties_keep_the_order_written():
    heavy = Endpoint(Inet("10.0.0.1", 9), weight=4)
    assert pick(Pick.LEAST, (A, heavy, B), open_sessions=[1, 3, 1]) == (1, 0, 2)
    assert pick(Pick.LEAST) == (0, 1, 2)


@pytest.mark.parametrize(("chance", "first"), [(0.0, 0), (0.34, 1), (0.67, 2), (0.999999, 2)])
def test_random_follows_chance(chance, first):
    assert pick(Pick.RANDOM, chance=chance)[0] == first


@pytest.mark.parametrize("kind", list(Pick))
def test_one_that_failed_comes_after_all_that_did_not(kind):
    assert pick(kind, failed=[True, False, False])[-1] == 0


@pytest.mark.parametrize("kind", list(Pick))
def test_a_backup_comes_last_but_before_those_that_failed(kind):
    backup = Endpoint(Inet("10.0.0.1", 9), backup=True)
    assert pick(kind, (backup, A, B))[-1] == 0
    assert pick(kind, (backup, A, B), failed=[False, True, True])[0] == 0
    assert pick(kind, (backup, A, B), failed=[True, True, True])[-1] == 0


def test_hash_moves_only_the_clients_of_one_that_goes_and_goes_by_weight():
    heavy = Endpoint(Inet("10.0.0.4", 9), weight=4)
    clients = [f"10.1.{n // 250}.{n % 250}" for n in range(1000)]
    all_of_them, left = (A, B, heavy), (A, heavy)
    before = {one: all_of_them[pick(Pick.HASH, all_of_them, client=one)[0]] for one in clients}
    after = {one: left[pick(Pick.HASH, left, client=one)[0]] for one in clients}
    assert all(after[one] == before[one] for one in clients if before[one] != B)
    assert 550 < sum(one == heavy for one in before.values()) < 780  # of 1000, two thirds


def test_hash_keeps_a_client_at_an_address_of_a_name():
    addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    firsts = [
        arrange(addresses, Pick.HASH, turn=turn, open_sessions={}, chance=0.5, client="c")[0]
        for turn in range(5)
    ]
    assert len(set(firsts)) == 1
