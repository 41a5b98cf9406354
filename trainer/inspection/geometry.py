"""Geometry of the picture."""

from __future__ import annotations

Point = tuple[float, float]
"""Coordinates, or width and height, in pixels."""

GAP = 28
"""Pixels between boxes, and around the picture."""
