"""Colours of charts: concrete ones for a PNG, and for SVG those that a style sheet replaces in light and dark."""

from __future__ import annotations

from dataclasses import dataclass

CURVES = 10
"""Number of colours of curves."""


@dataclass(frozen=True)
class Palette:
    """Colours of a chart, as hexadecimal RGB.

    Args:
        ink: Colour of text.
        soft: Colour of axes and ticks.
        line: Colour of the grid.
        paper: Colour of the background.
        curves: Colours of curves.
        bad: Colour of rollbacks.
    """

    ink: str
    soft: str
    line: str
    paper: str
    curves: tuple[str, ...]
    bad: str


LIGHT = Palette(
    ink="#1c2430",
    soft="#5a6675",
    line="#e1e6ec",
    paper="#ffffff",
    curves=(
        *("#1f66d1", "#d9560b", "#1d8348", "#8e3fb5", "#c2255c", "#0b7c8c", "#8a5a2b", "#5f6875", "#b58900", "#3b3fb8"),
    ),
    bad="#c62828",
)

DARK = Palette(
    ink="#e8edf3",
    soft="#9fabba",
    line="#2f3845",
    paper="#171c23",
    curves=(
        *("#6ea8fe", "#ff9f5a", "#5fd08c", "#cf9bf0", "#ff86ab", "#54cfe0", "#d3a878", "#aab4c0", "#e6c14a", "#9a9dff"),
    ),
    bad="#ff7b7b",
)

STAND_INS = Palette(
    ink="#010100",
    soft="#010101",
    line="#010102",
    paper="#010103",
    curves=tuple(f"#0102{i:02}" for i in range(CURVES)),
    bad="#010104",
)
"""Colours that stand for variables of the style sheet in an SVG."""


def variables(palette: Palette) -> dict[str, str]:
    """Returns the colours of a palette by the name of their variable in the style sheet.

    Example:
        >>> variables(LIGHT)["--ink"], variables(DARK)["--curve-0"]
        ('#1c2430', '#6ea8fe')
    """
    plain = {f"--{name}": getattr(palette, name) for name in ("ink", "soft", "line", "paper", "bad")}
    return {**plain, **{f"--curve-{i}": colour for i, colour in enumerate(palette.curves)}}
