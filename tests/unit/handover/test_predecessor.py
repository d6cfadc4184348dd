"""Its place in the file system; what it says and gives stands in test_handover_taking.py."""

import stat

import pytest

from ambassador.handover.predecessor import Predecessor
from ambassador.handover.protocol import beside


@pytest.mark.asyncio
async def test_the_place_is_for_its_user_and_goes_again(tmp_path):
    admin = tmp_path / "admin.sock"
    giver = Predecessor(admin, None)
    giver.start()
    assert stat.S_IMODE(beside(admin).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["admin.sock.upgrade"]
    giver.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.asyncio
async def test_the_place_of_a_successor_stays(tmp_path):
    first, second = (
        Predecessor(tmp_path / "admin.sock", None),
        Predecessor(tmp_path / "admin.sock", None),
    )
    first.start()
    second.start()
    first.close()
    assert second.path.exists()
    second.close()
