"""Whether a network namespace has any rules at all."""

import pytest

from ambassador.planes.kernel.standing import (
    ambassador_stands,
    anything_stands,
    others_stand,
)
from tests.netns import Namespace


@pytest.fixture
def net():
    net = Namespace()
    yield net
    net.close()


@pytest.mark.root
@pytest.mark.parametrize("table", ["inet ambassador", "ip nat", "netdev other"])
def test_a_table_of_any_family_stands_until_it_is_gone(net, table):
    assert net.call(anything_stands) is False
    net.run("nft", "add", "table", *table.split())
    assert net.call(anything_stands) is True
    net.run("nft", "delete", "table", *table.split())
    assert net.call(anything_stands) is False


@pytest.mark.root
def test_our_tables_and_those_of_others_are_told_apart(net):
    def found():
        return net.call(ambassador_stands), net.call(others_stand)

    assert found() == (False, False)
    net.run("nft", "add", "table", "ip", "ambassador")  # of another family: not ours
    assert found() == (False, True)
    net.run("nft", "delete", "table", "ip", "ambassador")
    net.run("nft", "add", "table", "inet", "ambassador-0a1b2c")
    assert found() == (False, False)
    net.run("nft", "add", "table", "inet", "ambassador")
    assert found() == (True, False)
    net.run("nft", "add", "table", "inet", "ambassadors")
    assert found() == (True, True)


@pytest.mark.root
def test_hundreds_of_tables_are_all_seen(net):
    net.run("nft", "-f", "-", stdin="".join(f"add table ip t{n}\n" for n in range(800)))
    assert net.call(ambassador_stands) is False
    net.run("nft", "add", "table", "inet", "ambassador")
    assert net.call(ambassador_stands) is True


@pytest.mark.root
def test_a_table_of_the_older_iptables_stands(net, tmp_path):
    names = tmp_path / "ip_tables_names"
    names.write_text("")
    assert net.call(anything_stands, [names]) is False
    names.write_text("filter\n")
    assert net.call(anything_stands, [tmp_path / "not there", names]) is True
