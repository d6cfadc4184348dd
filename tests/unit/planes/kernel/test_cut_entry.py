"""What stands for a cut connection in conntrack: two connections without translation."""

import struct

import pytest

from ambassador.planes.kernel.cut_entry import Side, entry, name, sides
from ambassador.planes.kernel.entry import label
from ambassador.planes.kernel.layout import ALIVE, CUT, LABEL
from ambassador.planes.kernel.messages import NEST, attribute, attributes
from tests.unit.planes.kernel.test_revival import FOUR, SIX, ends, vanished


def flow(places):
    return vanished(places=places).flow


@pytest.mark.parametrize("places", [FOUR, SIX])
def test_each_side_is_what_its_peer_sees(places):
    client, listen, upstream, nat = places
    assert sides(flow(places)) == (
        Side(listen, client, dialled=False),
        Side(nat, upstream, dialled=True),
    )


@pytest.mark.parametrize("places", [FOUR, SIX])
def test_the_one_that_has_dialled_is_the_origin(places):
    client, listen, upstream, nat = places
    for side, origin in zip(sides(flow(places)), ((client, listen), (nat, upstream)), strict=True):
        data = entry(side)
        assert data.startswith(name(side))
        assert name(side) == attribute(NEST | 1, ends(6, *origin))
        found = attributes(data, 0, len(data))
        reply = data[slice(*found[2])]
        assert reply == ends(6, *reversed(origin))


def test_it_is_open_and_knows_no_window_and_is_not_ours_to_translate():
    data = entry(sides(flow(FOUR))[0])
    found = attributes(data, 0, len(data))
    (status,) = struct.unpack(">L", data[slice(*found[3])])
    assert status == 0b1110  # confirmed, assured, seen reply: nothing translated
    tcp = attributes(data, *attributes(data, *found[4])[1])
    assert data[tcp[1][0]] == 3  # ESTABLISHED
    assert data[slice(*tcp[4])] == data[slice(*tcp[5])] == b"\x0a\x0a"
    assert data[slice(*found[22])] == label(CUT)
    assert len({CUT, LABEL, ALIVE}) == 3
    assert struct.unpack(">L", data[slice(*found[7])]) == (3600,)
