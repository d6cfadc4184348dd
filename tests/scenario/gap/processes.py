"""What processes beside the one that carries the session do, or what becomes of them."""

from __future__ import annotations

import os
import signal
import subprocess

from ambassador.core.commands import Cut
from tests.program import COMMAND, clean_environ, unmeasured
from tests.scenario.gap.scene import CROWD, Scene


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


def worker_killed(scene: Scene) -> None:
    """A worker dies with all of its sessions, beside the one that carries ours."""
    scene.crowds.do("come", "127.0.0.1", scene.port("crowd"), CROWD)
    carrier = scene.ticking.met().carrier
    others = [child for child in scene.children if child != carrier]
    with scene.watched():
        for other in others:
            os.kill(other, signal.SIGKILL)
        scene.ask(Cut("crowd"))
        scene.crowds.do("gone")
    assert carrier != scene.pid
    assert others
