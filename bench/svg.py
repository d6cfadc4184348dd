"""Two kinds of picture as SVG: bars with their spread, and lines. Pure.

Colours come from a style sheet inside, which follows the reader's light or dark scheme; every bar
and line is labelled, so that nothing depends on telling colours apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from bench.figures import Spread

__all__ = ["GAP", "WIDE", "Bar", "Bars", "Line", "Lines", "picture"]

_STYLE = """\
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.head { font-weight: 600 } .quiet { fill: #59636e }
.direct { fill: #afb8c1 } .other { fill: #54aeff } .ours { fill: #2da44e }
.whisker, .axis { stroke: #59636e; stroke-width: 1 }
path.line { fill: none; stroke-width: 2 }
.line.direct { stroke: #818b98 } .line.other { stroke: #0969da } .line.ours { stroke: #1a7f37 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .quiet { fill: #9198a1 }
  .direct { fill: #656c76 } .other { fill: #1f6feb } .ours { fill: #2ea043 }
  .whisker, .axis { stroke: #9198a1 }
  .line.direct { stroke: #9198a1 } .line.other { stroke: #4493f8 } .line.ours { stroke: #3fb950 }
}
"""
WIDE, _COLUMNS, GAP = 450, 2, 20
_VALUE, _ROW, _HEAD = 92, 20, 26  # pixels: right of a bar, its height, above the first
# What a character of a label takes at most on average: DejaVu Sans, the widest of the usual fonts.
_CHARACTER, _BESIDE = 7.2, 14
_PLOT_HIGH, _PLOT_LEFT = 190, 56
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "12 4", "1 2")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; `look` is direct, other or ours."""

    label: str
    look: str
    size: Spread
    value: str


@dataclass(frozen=True, slots=True)
class Bars:
    """A panel of bars from zero."""

    title: str
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Line:
    """One line through (x, y) points; `dash` tells lines of one look apart."""

    label: str
    look: str
    dash: int
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Lines:
    """A panel of lines; x is logarithmic, y begins at zero."""

    title: str
    x_label: str
    lines: Sequence[Line]


def picture(title: str, panels: Sequence[Bars | Lines]) -> str:
    """Return an SVG with the panels, two beside each other."""
    drawn = [_bars(p) if isinstance(p, Bars) else _lines(p) for p in panels]
    parts, top = [], 0
    for first in range(0, len(drawn), _COLUMNS):
        row = drawn[first : first + _COLUMNS]
        for column, (_, body) in enumerate(row):
            left = column * (WIDE + GAP)
            parts.append(f'<g transform="translate({left},{top})">{body}</g>')
        top += max(height for height, _ in row) + GAP
    columns = min(len(drawn), _COLUMNS)
    wide, high = columns * (WIDE + GAP) - GAP, top - GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" '
        f'height="{high}" role="img" aria-label={quoteattr(title)}>\n'
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE}</style>\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _room(labels: Iterable[str]) -> int:
    """Return the pixels that the longest of the labels needs, and a gap beside it."""
    return math.ceil(max((len(label) for label in labels), default=0) * _CHARACTER) + _BESIDE


def _bars(panel: Bars) -> tuple[int, str]:
    left = _room(bar.label for bar in panel.bars)
    full = max((bar.size.high for bar in panel.bars), default=0) or 1
    scale = (WIDE - left - _VALUE) / full
    parts = [_write(0, 14, panel.title, "head")]
    for number, bar in enumerate(panel.bars):
        top = _HEAD + number * _ROW
        middle, wide = top + _ROW // 2 - 2, max(bar.size.middle * scale, 1)
        low, high = (left + value * scale for value in (bar.size.low, bar.size.high))
        parts += [
            _write(left - 8, middle + 4, bar.label, "", "end"),
            f'<rect class="{bar.look}" x="{left}" y="{top}" width="{wide:.1f}" '
            f'height="{_ROW - 5}" rx="2"/>',
            f'<path class="whisker" d="M{low:.1f} {middle}H{high:.1f}"/>',
            _write(max(high, left + wide) + 6, middle + 4, bar.value, "quiet"),
        ]
    return _HEAD + len(panel.bars) * _ROW, "".join(parts)


def _lines(panel: Lines) -> tuple[int, str]:
    xs = sorted({x for line in panel.lines for x, _ in line.points})
    top_value = _round_up(max((y for line in panel.lines for _, y in line.points), default=1))
    right, bottom = WIDE - _room(line.label for line in panel.lines), _HEAD + _PLOT_HIGH

    def across(x: float) -> float:
        spread = math.log(xs[-1] / xs[0]) or 1
        return _PLOT_LEFT + 8 + (right - _PLOT_LEFT - 16) * math.log(x / xs[0]) / spread

    def up(y: float) -> float:
        return bottom - (bottom - _HEAD) * y / top_value

    parts = [
        _write(0, 14, panel.title, "head"),
        f'<path class="axis" fill="none" d="M{_PLOT_LEFT} {_HEAD}V{bottom}H{right}"/>',
    ]
    parts += [
        _write(_PLOT_LEFT - 6, up(value) + 4, f"{value:,g}", "quiet", "end")
        for value in (0, top_value / 2, top_value)
    ]
    parts += [_write(across(x), bottom + 16, f"{x:,g}", "quiet", "middle") for x in xs]
    parts.append(_write((_PLOT_LEFT + right) / 2, bottom + 32, panel.x_label, "quiet", "middle"))
    ends = _apart({n: up(line.points[-1][1]) for n, line in enumerate(panel.lines)}, bottom - 6)
    for number, line in enumerate(panel.lines):
        path = "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in line.points)
        dash = _DASHES[line.dash % len(_DASHES)]
        parts.append(f'<path class="line {line.look}" stroke-dasharray="{dash}" d="M{path}"/>')
        parts += [
            f'<circle class="{line.look}" cx="{across(x):.1f}" cy="{up(y):.1f}" r="3"/>'
            for x, y in line.points
        ]
        parts.append(_write(across(line.points[-1][0]) + 8, ends[number] + 4, line.label))
    return bottom + 38, "".join(parts)


def _apart(places: Mapping[int, float], bottom: float, least: float = 13) -> dict[int, float]:
    """Return the places moved, none below `bottom`, so that labels do not cover each other."""
    found: dict[int, float] = {}
    limit = bottom
    for number, place in sorted(places.items(), key=lambda item: -item[1]):
        found[number] = min(place, limit)
        limit = found[number] - least
    return found


def _round_up(value: float) -> float:
    if value <= 0:
        return 1
    step = 10.0 ** math.floor(math.log10(value))
    return next(step * factor for factor in (1, 2, 4, 6, 8, 10) if step * factor >= value)


def _write(x: float, y: float, text: str, look: str = "", anchor: str = "start") -> str:
    kind = f' class="{look}"' if look else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
