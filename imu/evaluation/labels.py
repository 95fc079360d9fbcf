"""Start, turning point and end of a labelled repetition, to a step of 0.05 s: the network is trained on them.

Data sets say only what a recording holds (*one squat*) or give windows set by hand. Here the turning points are found
with hindsight: the height is integrated between two guesses of start and end, the guesses move to where the excursion
leaves and reaches a tenth of its peak, and so on until they stay.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from imu.motion.features import ROW_S, ROW_STEPS
from imu.motion.signals import STEP_S, MotionSignals
from imu.samples import STANDARD_GRAVITY_M_S2, Array

LEAVING_SHARE = 0.1
"""Share of the peak excursion below which the repetition has not begun or is over."""
HOLD_SHARE = 0.92
"""Share of the peak beyond which the hip counts as at the turning point: either phase is right there."""
LEAST_SQUAT_DROP_M = 0.08
"""A squat that sinks less is located by its tilt instead of its height."""
LONGEST_S = 11.0
"""A single repetition that seems to last longer was not located."""
MARGIN = 6
"""Steps at both ends of a recording that cannot belong to the repetition: the signals are smoothed over them."""


@dataclass(frozen=True, slots=True)
class LabelledRepetition:
    """One repetition on the steps of a stretch of signals; fractions of a step are allowed.

    Attributes
    ----------
    start, bottom_start, bottom, bottom_end, end : float
        Leaving the top, arriving at the turning point, its deepest moment, leaving it, and the next top.
    hinge : bool or None
        Whether it is a hinge; None where neither is certain.
    """

    start: float
    bottom_start: float
    bottom: float
    bottom_end: float
    end: float
    hinge: bool | None

    def moved(self, offset: float, factor: float = 1.0) -> LabelledRepetition:
        """Return the repetition after time was stretched by `factor` and shifted by `offset`."""
        names = ("start", "bottom_start", "bottom", "bottom_end", "end")
        return replace(self, **{name: factor * getattr(self, name) + offset for name in names})


def smoothed(values: Array, sigma: float) -> Array:
    """Return values smoothed by a Gaussian of `sigma` steps along the first axis."""
    from scipy.ndimage import gaussian_filter1d  # noqa: PLC0415 - slow to import

    return np.asarray(gaussian_filter1d(values, sigma, axis=0))


def height_between(vertical_m_s2: Array, start: int, end: int) -> Array:
    """Return the height (n,), m, whose velocity and height are zero at the steps `start` and `end`."""
    steps = np.arange(len(vertical_m_s2))
    share = (steps - start) / max(1, end - start)
    velocity = np.cumsum(vertical_m_s2) * STEP_S
    velocity = velocity - (velocity[start] + (velocity[end] - velocity[start]) * share)
    height = np.cumsum(velocity) * STEP_S
    return np.asarray(height - (height[start] + (height[end] - height[start]) * share))


def single_repetition(up: Array, vertical_m_s2: Array, *, hinge: bool) -> LabelledRepetition:
    """Locate the one repetition of a recording.

    Parameters
    ----------
    up : (n, 3) array
        World-vertical in the sensor frame at each step.
    vertical_m_s2 : (n,) array
        Vertical acceleration without gravity.
    hinge : bool
        Which pattern the label says.
    """
    first, last = MARGIN, len(up) - MARGIN - 1
    height_weight = 0.5 if hinge else 2.0
    drop = tilt = np.zeros(len(up))
    start, end = first, last
    for _ in range(4):
        share = np.clip((np.arange(len(up)) - first) / max(1, last - first), 0, 1)[:, None]
        before, after = up[max(0, first - 6) : first + 6].mean(axis=0), up[last - 5 : last + 7].mean(axis=0)
        standing = before * (1 - share) + after * share
        standing /= np.linalg.norm(standing, axis=1, keepdims=True)
        tilt = smoothed(2 * np.arcsin(np.clip(np.linalg.norm(up - standing, axis=1) / 2, 0, 1)), 2)
        drop = np.maximum(-smoothed(height_between(vertical_m_s2, first, last), 2), 0)
        size = np.hypot(height_weight * drop, tilt)
        peak = first + int(size[first : last + 1].argmax())
        away = size > LEAVING_SHARE * size[peak]
        start = end = peak
        while start > first and away[max(start - 4, 0) : start + 1].any():
            start -= 1
        while end < last and away[end : min(last, end + 4) + 1].any():
            end += 1
        narrower = max(MARGIN, start - 8), min(len(up) - MARGIN - 1, end + 8)
        if narrower == (first, last):
            break
        first, last = narrower
    inside = slice(first, last + 1)
    by_height = not hinge and drop[inside].max() > LEAST_SQUAT_DROP_M
    depth = drop if by_height else tilt
    bottom = first + int(depth[inside].argmax())
    held = start + np.flatnonzero(depth[start : end + 1] >= HOLD_SHARE * depth[bottom])
    return LabelledRepetition(start, float(held[0]), bottom, float(held[-1]), end, hinge)


def repetition_in_window(vertical_m_s2: Array, start: float, end: float, *, hinge: bool | None) -> LabelledRepetition:
    """Locate the turning point of a repetition whose window ``[start, end]``, in steps, was set by hand."""
    first, last = max(0, int(start)), min(len(vertical_m_s2) - 1, int(end))
    height = height_between(vertical_m_s2, first, last)[first : last + 1]
    bottom = int(height.argmin())
    held = np.flatnonzero(height <= HOLD_SHARE * height[bottom])
    return LabelledRepetition(start, first + float(held[0]), first + float(bottom), first + float(held[-1]), end, hinge)


def located_repetitions(path: Path, row: dict[str, str], signals: MotionSignals) -> tuple[LabelledRepetition, ...]:
    """Return where the repetitions of a labelled recording are; nothing where they could not be located.

    Parameters
    ----------
    path : Path
        The recording; its windows are in ``NAME.truth.json`` beside it.
    row : dict
        Its row in the index of the data set.
    signals : MotionSignals
        What it shows, without a gap.
    """
    hinge, first_s = row["pattern"] == "hinge", float(signals.time_s[0]) - STEP_S
    vertical = signals.vertical_m_s2 - STANDARD_GRAVITY_M_S2
    truth = path.with_name(path.name.split(".")[0] + ".truth.json")
    if truth.exists():
        windows = [
            ((a - first_s) / STEP_S, (b - first_s) / STEP_S) for a, b in json.loads(truth.read_text())["windows"]
        ]
        return tuple(repetition_in_window(vertical, start, end, hinge=hinge) for start, end in windows)
    located = single_repetition(signals.up, vertical, hinge=hinge)
    return (located,) if (located.end - located.start) * STEP_S <= LONGEST_S else ()


# -- for the network, in rows

OTHER, DOWN, UPWARD, EITHER, IGNORED = 0, 1, 2, 3, -1
"""Labels of the phase; EITHER is the hold at the turning point."""

END_ROWS = (0.5, 5.5)
"""Rows after the end of a repetition in which the network shall say that one has ended: 0.05 to 0.55 s after it."""


def row_labels(n: int, repetitions: Sequence[LabelledRepetition]) -> Array:
    """Return the labels (n, 5) of the network's rows over a stretch with these repetitions.

    Columns: the phase; whether a repetition has just ended; whether it was a hinge; and where one has just ended, the
    time since then, s, and the logarithm of its duration in seconds. -1 in the first three is ignored in training.
    """
    phase, ended, hinge = np.zeros(n), np.zeros(n), np.full(n, -1.0)
    since_s, log_duration = np.zeros(n), np.zeros(n)
    middle, row_end = (np.arange(n) + 0.5) * ROW_STEPS, np.arange(1, n + 1) * ROW_STEPS
    for r in repetitions:
        phase[(middle >= r.start) & (middle < r.bottom_start)] = DOWN
        phase[(middle >= r.bottom_start) & (middle < r.bottom_end)] = EITHER
        phase[(middle >= r.bottom_end) & (middle < r.end)] = UPWARD
        if r.hinge is not None:
            hinge[(middle >= r.bottom) & (middle < r.end + 14)] = float(r.hinge)
    for r in repetitions:
        for edge in (r.start, r.end):
            phase[(np.abs(middle - edge) <= ROW_STEPS) & (phase != EITHER)] = IGNORED
        rows_since = (row_end - r.end) / ROW_STEPS
        ended[(rows_since > -2.0) & (rows_since < END_ROWS[0])] = IGNORED
        ended[(rows_since > END_ROWS[1]) & (rows_since <= END_ROWS[1] + 2.0)] = IGNORED
    for r in repetitions:
        rows_since = (row_end - r.end) / ROW_STEPS
        just = (rows_since >= END_ROWS[0]) & (rows_since <= END_ROWS[1])
        ended[just] = 1.0
        since_s[just] = rows_since[just] * ROW_S
        log_duration[just] = np.log((r.end - r.start) * STEP_S)
    return np.column_stack((phase, ended, hinge, since_s, log_duration))
