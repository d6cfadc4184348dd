"""Whether a network namespace has any rules at all."""

import pytest

from ambassador.planes.kernel.standing import anything_stands
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
def test_a_table_of_the_older_iptables_stands(net, tmp_path):
    names = tmp_path / "ip_tables_names"
    names.write_text("")
    assert net.call(anything_stands, [names]) is False
    names.write_text("filter\n")
    assert net.call(anything_stands, [tmp_path / "not there", names]) is True
