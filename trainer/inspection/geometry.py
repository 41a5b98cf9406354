"""Geometry of the picture."""

from __future__ import annotations

Point = tuple[float, float]
"""Coordinates, or width and height, in pixels."""

GAP = 28
"""Pixels between boxes, and around the picture."""

MAX_WIDTH = 1_600
"""Maximum width of a picture in pixels, margins included: that of a wide window, or of a page in landscape."""
