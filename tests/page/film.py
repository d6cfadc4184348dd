"""Pictures of a browser one after the other, as a GIF that is small."""

from __future__ import annotations

import io
import time
from itertools import pairwise
from pathlib import Path

from PIL import Image

from tests.page.browser import Browser

__all__ = ["Film"]

_COLOURS = 128
_LONGEST = 2500  # milliseconds of the last picture, before it begins anew


class Film:
    """Each picture stands for as long as it took until the next one."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._taken: list[tuple[float, Image.Image]] = []

    @property
    def pictures(self) -> int:
        """How many there are."""
        return len(self._taken)

    def record(self, seconds: float, rate: float = 8.0) -> None:
        """Take pictures for so long."""
        began = time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            data = self._browser.driver.get_screenshot_as_png()
            self._taken.append((now, Image.open(io.BytesIO(data)).convert("RGB")))
            time.sleep(max(0.0, now + 1 / rate - time.monotonic()))

    def write(self, path: Path) -> None:
        """Write them; all have the colours of all, so that what stands still takes no room."""
        times = [when for when, _ in self._taken]
        lasting = [round(1000 * (b - a)) for a, b in pairwise(times)]
        of_all = self._palette()
        first, *others = [
            one.quantize(palette=of_all, dither=Image.Dither.NONE) for _, one in self._taken
        ]
        first.save(
            path,
            save_all=True,
            append_images=others,
            duration=[*lasting, _LONGEST],
            loop=0,
            optimize=True,
            disposal=1,
        )

    def _palette(self) -> Image.Image:
        some = [one for _, one in self._taken[:: max(1, len(self._taken) // 6)]]
        sheet = Image.new("RGB", (some[0].width, sum(one.height for one in some)))
        for place, one in enumerate(some):
            sheet.paste(one, (0, place * one.height))
        return sheet.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT)
