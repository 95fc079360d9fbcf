"""How a set is carried out: what stays between repetitions, tempo, breaths, fatigue, where the weight comes from.

An `Exercise` without a manner is a set of the plain kind, in which the lifter stands up fully after each repetition.
`continuous` writes a set of a given manner; `continuous_plans` draws one for each set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self, get_args

import numpy as np

from imu.virtual.person.performer import Span
from imu.virtual.person.variants import Variant

Failure = Literal["sinks", "dumped", "walked_out"]
"""How a repetition fails: it sinks again, the weight is let go, or the lifter gets stuck and walks out of it."""

LARGEST_LEAN_RAD = float(np.radians(25.0))
"""Lean that stays between repetitions: people in `squat_sets` stay 14-25° forward of their first posture."""
LARGEST_BEND = 0.1
"""Share of the drop that is cut off at the top."""
DEEP_SQUAT_M = 0.25
"""Variants of squats at least this deep stay squats when the trunk leans far."""
SHARES = (
    "residual_bend",
    "top_overlap",
    "pelvis_overlap",
    "breath_probability",
    "shallowing",
    "grinding",
    "partial_probability",
)


@dataclass(frozen=True, slots=True)
class Manner:
    """The way in which one set is carried out; each default leaves that part as plain as it can be.

    Raises
    ------
    ValueError
        If a share or probability is outside 0 to 1, a factor is not positive, or the failure is unknown.
    """

    residual_lean_rad: float = 0.0
    """Lean of the pelvis that stays between repetitions, forward of quiet standing, rad."""
    lean_drift: float = 0.0
    """Share by which the residual lean grows from the middle of the set to its end; negative: it shrinks."""
    residual_bend: float = 0.0
    """Share of the hip drop that is left undone at the top, 0 to 1."""
    braced_start: bool = False
    """The lifter takes up the leaning posture before the first repetition, instead of at the end of it."""
    upright_end: bool = False
    """The last repetition ends in quiet standing; else the lifter stands up after it."""
    tempo: float = 1.0
    """Factor on the durations of descent and ascent."""
    steady: bool = False
    """The hip moves at constant speed down and up, as tempo squats are meant to be."""
    top_pause_s: Span = (0.0, 0.0)
    """Shortest and longest pause at the top of a repetition that no breath follows, s."""
    top_overlap: float = 0.0
    """Share of the shorter way by which a descent begins before the ascent before it has ended."""
    pelvis_overlap: float = 0.0
    """The same for the pelvis alone, which then turns round at the top without a halt."""
    breath_probability: float = 0.0
    """Probability of a breath of 1-8 s after a repetition."""
    depth: float = 1.0
    """Factor on the usual hip drop; below 1: a set of partial repetitions."""
    tilt: float = 1.0
    """Factor on the usual tilt of the pelvis."""
    partial_probability: float = 0.0
    """Probability that a repetition is a partial one, of 0.4-0.7 of the depth."""
    slowing: float = 0.0
    """Share by which the last ascent is slower than the first, besides the lifter's own fatigue."""
    shallowing: float = 0.0
    """Share by which the last repetition is shallower than the first."""
    grinding: float = 0.0
    """Probability that the last ascent grinds; the earlier ones do so with the square of their place in the set."""
    from_floor: bool = False
    """The weight stands on the floor before and after the set: a deadlift, or a bell to swing."""
    failure: Failure | None = None
    """How one more repetition fails after the last."""

    def __post_init__(self) -> None:
        """Check the values that would break the movement."""
        for name in SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be 0 to 1, got {getattr(self, name)}")
        for name in ("tempo", "depth", "tilt"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.failure is not None and self.failure not in get_args(Failure):
            raise ValueError(f"failure must be one of {', '.join(get_args(Failure))}, got {self.failure!r}")

    @classmethod
    def random(cls, rng: np.random.Generator, variant: Variant) -> Self:
        """Draw a manner for a set of `variant`.

        Three sets in four keep a lean of 0-25°. One set in six is very fast (0.3-0.6 of the usual durations), one in
        six slow (1.6-3 times). Swings keep their rhythm, because a bell swings as fast as its weight lets it.
        """
        tempo = _random_tempo(rng, variant)
        turns = bool(rng.random() < 0.6) or variant.ballistic
        breathes = rng.random() < 0.35 and not variant.ballistic
        tires = rng.random() < 0.4 and not variant.ballistic
        fails = rng.random() < 0.08 and not variant.ballistic
        squat = variant.pattern == "squat"
        return cls(
            residual_lean_rad=_mostly(rng, 0.75, (0, LARGEST_LEAN_RAD), (0, float(np.radians(4)))),
            lean_drift=float(rng.uniform(-0.3, 0.8)),
            residual_bend=_mostly(rng, 0.5, (0, LARGEST_BEND), (0, 0)),
            braced_start=bool(rng.random() < 0.5),
            upright_end=bool(rng.random() < 0.3),
            tempo=tempo,
            steady=bool(rng.random() < (0.6 if tempo > 1.6 else 0.1)) and not variant.ballistic,
            top_pause_s=(0.0, 0.0) if turns else (0.0, float(rng.uniform(0.1, 1.0))),
            top_overlap=_mostly(rng, 0.5, (0, 0.3), (0, 0)) if turns else 0.0,
            pelvis_overlap=_mostly(rng, 0.6, (0, 0.4), (0, 0)) if turns else 0.0,
            breath_probability=_mostly(rng, 0.5, (0.05, 0.3), (0.3, 1.0)) if breathes else 0.0,
            depth=_mostly(rng, 0.15, (0.4, 0.75), (0.9, 1.15)),
            tilt=_random_tilt(rng, variant),
            partial_probability=_mostly(rng, 0.15, (0.05, 0.3), (0, 0)),
            slowing=float(rng.uniform(0.2, 1.5)) if tires else 0.0,
            shallowing=float(rng.uniform(0.0, 0.4)) if tires else 0.0,
            grinding=float(rng.uniform(0.2, 1.0)) if tires and rng.random() < 0.7 else 0.0,
            from_floor=bool(variant.lifts_from_floor and rng.random() < 0.6),
            failure=get_args(Failure)[int(rng.integers(3 if squat else 2))] if fails else None,
        )


def _mostly(rng: np.random.Generator, probability: float, usual: Span, other: Span) -> float:
    """Draw from the `usual` span with the given probability, else from the other."""
    return float(rng.uniform(*(usual if rng.random() < probability else other)))


def _random_tempo(rng: np.random.Generator, variant: Variant) -> float:
    """Draw a factor on the durations of descent and ascent, 0.3 to 3."""
    if variant.ballistic:
        return float(rng.uniform(0.9, 1.3))
    kind = rng.random()
    if kind < 1 / 6:
        return float(rng.uniform(0.3, 0.6))
    if kind < 1 / 3:
        return float(rng.uniform(1.6, 3.0))
    return float(np.exp(rng.uniform(np.log(0.6), np.log(1.6))))


def _random_tilt(rng: np.random.Generator, variant: Variant) -> float:
    """Draw a factor on the tilt: deep squats may lean far, hinges may be shallow."""
    if variant.pattern == "hinge":
        return _mostly(rng, 0.15, (0.35, 0.8), (0.85, 1.15))
    return _mostly(rng, 0.35 if variant.hip_drop_m[0] >= DEEP_SQUAT_M else 0.0, (1.15, 1.8), (0.8, 1.15))
