"""Every cell of the program's life."""

from itertools import product

import pytest

from ambassador.core.phase import PHASES, Phase, Turn

EXPECTED = {
    Phase.STARTING: {Turn.INSTALLED: Phase.READY, Turn.STOPPED: Phase.STOPPING},
    Phase.READY: {Turn.LEFT: Phase.LEAVING, Turn.STOPPED: Phase.STOPPING},
    Phase.LEAVING: {Turn.STOPPED: Phase.STOPPING},
    Phase.STOPPING: {Turn.STOPPED: Phase.STOPPING},
}


@pytest.mark.parametrize(("phase", "turn"), list(product(Phase, Turn)))
def test_every_cell(phase, turn):
    if turn in EXPECTED[phase]:
        assert PHASES[phase, turn] is EXPECTED[phase][turn]
    else:
        with pytest.raises(KeyError):
            PHASES[phase, turn]
