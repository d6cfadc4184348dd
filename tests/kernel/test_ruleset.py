"""nft itself takes every golden text, one after the other, and can list what it then has."""

from tests.unit.planes.kernel.goldens import FOLDER, GOLDENS


def test_every_golden_text_is_taken_one_after_the_other(network):
    nft = network.ambassador
    for name in GOLDENS:
        text = (FOLDER / f"{name}.nft").read_text()
        nft.run("nft", "--check", "-f", "-", stdin=text)
        nft.run("nft", "-f", "-", stdin=text)
        nft.run("nft", "list", "ruleset")  # nft 1.0.6 cannot list every text that it takes
    listed = nft.run("nft", "list", "table", "inet", "ambassador")
    assert "elements" not in listed
    assert "spread" not in listed
