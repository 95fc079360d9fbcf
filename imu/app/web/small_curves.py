"""The trunk angle of each repetition, small, over the mean of its set.

Repetitions of different length are drawn from start to end, so that shapes compare; their times stand beside. This
module refuses to know the page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from imu.report.curves import AngleCurve
from imu.report.markup import Markup, tag
from imu.samples import Array
from imu.store import CorrectedRepetition

POINTS = 40
WIDTH, HEIGHT, MARGIN = 140.0, 64.0, 4.0
LEAST_MOST_RAD = math.radians(30)
"""A set of slight leans is not drawn as if they were deep ones."""


def evenly(curve: AngleCurve, one: CorrectedRepetition) -> Array | None:
    """Return the angle of a repetition at evenly spaced times from its start to its end, ``None`` if unknown."""
    time_s, angle_rad = curve.between(one.start_s, one.end_s)
    known = ~np.isnan(angle_rad)
    if known.sum() < 3:
        return None
    return np.interp(np.linspace(one.start_s, one.end_s, POINTS), time_s[known], angle_rad[known])


def small_curves(curves: Sequence[Array | None]) -> list[Markup | None]:
    """Return a drawing for each repetition of a set, over the mean of all; ``None`` where its angle is unknown."""
    known = [one for one in curves if one is not None]
    if not known:
        return [None] * len(curves)
    mean: Array = np.mean(known, axis=0)
    most = max(LEAST_MOST_RAD, *(float(one.max()) for one in known))
    return [None if one is None else _drawing(one, mean if len(known) > 1 else None, most) for one in curves]


def _drawing(angle: Array, mean: Array | None, most: float) -> Markup:
    floor = tag("line", x1=0, x2=WIDTH, y1=_y(0.0, most), y2=_y(0.0, most), class_="floor")
    return tag(
        "svg",
        floor,
        None if mean is None else tag("polyline", points=_points(mean, most), class_="mean"),
        tag("polyline", points=_points(angle, most), class_="own"),
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        class_="curve",
        aria_hidden="true",
    )


def _points(angle: Array, most: float) -> str:
    step = WIDTH / (POINTS - 1)
    return " ".join(f"{i * step:.1f},{_y(float(value), most):.1f}" for i, value in enumerate(angle))


def _y(angle: float, most: float) -> float:
    return HEIGHT - MARGIN - max(0.0, angle) / most * (HEIGHT - 2 * MARGIN)
