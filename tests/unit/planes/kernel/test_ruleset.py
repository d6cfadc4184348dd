"""The text of every transaction, golden; nft itself judges the same files in tests/kernel."""

import pytest

from ambassador.model import Proto
from ambassador.planes.kernel.ruleset import Share, Way, transaction
from tests.unit.planes.kernel.goldens import FOLDER, GOLDENS, keyed

A, B, C = Share("10.0.0.1", 1), Share("10.0.0.2", 2), Share("10.0.0.3", 3)


@pytest.mark.parametrize("name", GOLDENS)
def test_the_text_is_as_it_was(name):
    """Written anew with:
    python -c "from tests.unit.planes.kernel.goldens import *; [(FOLDER / f'{n}.nft').write_text(
    make()) for n, make in GOLDENS.items()]"
    """
    assert GOLDENS[name]() == (FOLDER / f"{name}.nft").read_text()


def test_no_golden_file_is_left_over():
    assert {path.stem for path in FOLDER.iterdir()} == set(GOLDENS)


def test_what_stays_is_not_spoken_of():
    same, moved = Way(Proto.TCP, 1, False, (A,)), Way(Proto.TCP, 2, False, (A,))
    text = transaction(keyed(same, moved), keyed(same, Way(Proto.TCP, 2, False, (B,))))
    assert text == (
        "delete element inet ambassador to4 { tcp . 2 }\n"
        "add element inet ambassador to4 { tcp . 2 : 10.0.0.2 . 2 }\n"
    )
    assert transaction(keyed(same), keyed(same)) == ""


def shares_of(way, flows):
    """Play the rules of a spread: numgen counts for each rule on its own."""
    lines = [line for line in way.chains()[way.chain].splitlines() if "dnat" in line]
    counters = [0] * len(lines)
    taken = []
    for _ in range(flows):
        for place, line in enumerate(lines):
            if "numgen" in line:
                words = line.split()
                mod, limit = int(words[words.index("mod") + 1]), int(words[words.index("<") + 1])
                counters[place] += 1
                if (counters[place] - 1) % mod >= limit:
                    continue
            taken.append(line.split(" to ")[1])
            break
    return taken


def test_in_turn_each_address_has_its_share_of_every_round():
    taken = shares_of(Way(Proto.TCP, 1, False, (A, B, C)), 9)
    assert taken == ["10.0.0.1:1", "10.0.0.2:2", "10.0.0.3:3"] * 3


@pytest.mark.parametrize("weights", [(1, 1), (3, 1), (2, 3, 5), (1, 1, 1, 97)])
def test_weights_are_kept_exactly(weights):
    shares = tuple(Share(f"10.0.0.{n}", 1, weight) for n, weight in enumerate(weights))
    total = sum(weights)
    taken = shares_of(Way(Proto.TCP, 1, False, shares), total * total)
    assert [taken.count(f"{share.address}:1") for share in shares] == [w * total for w in weights]
