"""What processes beside the one that carries the session do."""

from __future__ import annotations

import subprocess

from tests.program import COMMAND, clean_environ, unmeasured
from tests.scenario.gap.scene import Scene


def check(scene: Scene) -> None:
    """Somebody has the configuration checked."""
    with scene.watched():
        done = subprocess.run(
            [*COMMAND, "check", f"--config={scene.config}"],
            env=unmeasured(clean_environ()),
            capture_output=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 0, done.stderr


def upgrade(scene: Scene) -> None:
    """Another takes over from the one that carries the session."""
    with scene.watched():
        new = scene.upgraded()
    scene.succeed(new)
