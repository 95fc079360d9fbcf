"""How a set is carried out: what stays between repetitions, tempo, breaths.

An `Exercise` without a manner is a set of the plain kind, in which the lifter stands up fully after each repetition.
`continuous` writes a set of a given manner; `continuous_plans` draws one for each set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from imu.simulate.performer import Span
from imu.simulate.variants import Variant

LARGEST_LEAN_RAD = float(np.radians(25.0))
"""Lean that stays between repetitions: people in `squat_sets` stay 14-25° forward of their first posture."""
LARGEST_BEND = 0.1
"""Share of the drop that is cut off at the top."""


@dataclass(frozen=True, slots=True)
class Manner:
    """The way in which one set is carried out; each default leaves that part as plain as it can be.

    Raises
    ------
    ValueError
        If a share or probability is outside 0 to 1, or a factor is not positive.
    """

    residual_lean_rad: float = 0.0
    """Lean of the pelvis that stays between repetitions, forward of quiet standing, rad."""
    residual_bend: float = 0.0
    """Share of the hip drop that is left undone at the top, 0 to 1."""
    braced_start: bool = False
    """The lifter takes up the leaning posture before the first repetition, instead of at the end of it."""
    upright_end: bool = False
    """The last repetition ends in quiet standing; else the lifter stands up after it."""
    tempo: float = 1.0
    """Factor on the durations of descent, pause and ascent."""
    steady: bool = False
    """The hip moves at constant speed down and up, as tempo squats are meant to be."""
    top_pause_s: Span = (0.0, 0.0)
    """Shortest and longest pause at the top of a repetition that no breath follows, s."""
    top_overlap: float = 0.0
    """Share of the shorter way by which a descent begins before the ascent before it has ended."""
    breath_probability: float = 0.0
    """Probability of a breath of 1-8 s after a repetition."""

    def __post_init__(self) -> None:
        """Check the values that would break the movement."""
        for name in ("residual_bend", "top_overlap", "breath_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be 0 to 1, got {getattr(self, name)}")
        if self.tempo <= 0:
            raise ValueError(f"tempo must be positive, got {self.tempo}")

    @classmethod
    def random(cls, rng: np.random.Generator, variant: Variant) -> Self:
        """Draw a manner for a set of `variant`.

        Three sets in four keep a lean of 0-25°. One set in six is very fast (0.3-0.6 of the usual durations), one in
        six slow (1.6-3 times). Swings keep their rhythm, because a bell swings as fast as its weight lets it.
        """
        leans = rng.random() < 0.75
        lean = float(rng.uniform(0, LARGEST_LEAN_RAD) if leans else rng.uniform(0, np.radians(4)))
        kind = rng.random()
        if kind < 1 / 6:
            tempo = rng.uniform(0.3, 0.6)
        elif kind < 1 / 3:
            tempo = rng.uniform(1.6, 3.0)
        else:
            tempo = np.exp(rng.uniform(np.log(0.6), np.log(1.6)))
        pauses = rng.random() < 0.4
        if variant.ballistic:
            tempo, pauses = rng.uniform(0.9, 1.3), False
        breathes = rng.random() < 0.35 and not variant.ballistic
        return cls(
            residual_lean_rad=lean,
            residual_bend=float(rng.choice([0.0, rng.uniform(0, LARGEST_BEND)])),
            braced_start=bool(rng.random() < 0.5),
            upright_end=bool(rng.random() < 0.3),
            tempo=float(tempo),
            steady=bool(rng.random() < (0.6 if tempo > 1.6 else 0.1)) and not variant.ballistic,
            top_pause_s=(0.0, float(rng.uniform(0.1, 1.0))) if pauses else (0.0, 0.0),
            top_overlap=0.0 if pauses else float(rng.choice([0.0, rng.uniform(0, 0.3)])),
            breath_probability=float(rng.choice([rng.uniform(0.05, 0.3), rng.uniform(0.3, 1.0)])) if breathes else 0.0,
        )
