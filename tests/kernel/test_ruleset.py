"""nft itself takes every golden text, one after the other, and can list what it then has."""

import re

import pytest

from ambassador.planes.kernel.layout import mended
from ambassador.planes.kernel.ruleset import plain
from tests.unit.planes.kernel.goldens import FOLDER, GOLDENS


def as_it_is(text):
    return text


@pytest.mark.parametrize("write", [as_it_is, plain])
def test_every_golden_text_is_taken_one_after_the_other(network, write):
    nft = network.ambassador
    for name in GOLDENS:
        text = write((FOLDER / f"{name}.nft").read_text())
        nft.run("nft", "--check", "-f", "-", stdin=text)
        nft.run("nft", "-f", "-", stdin=text)
        nft.run("nft", "list", "ruleset")  # nft 1.0.6 cannot list every text that it takes
    listed = nft.run("nft", "list", "table", "inet", "ambassador")
    assert "elements" not in listed
    assert "spread" not in listed


def test_a_text_for_an_old_nft_declares_no_verdicts_by_typeof_and_a_new_one_goes_on_with_it(
    network,
):
    text = plain((FOLDER / "table.nft").read_text())
    assert not re.search(r"typeof [^;]*verdict", text)
    network.ambassador.run("nft", "-f", "-", stdin=text)
    network.ambassador.run("nft", "-f", "-", stdin=mended())
    network.ambassador.run("nft", "list", "ruleset")
