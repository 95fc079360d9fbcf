"""The simulated person: body size, habits and unsteadiness.

Knows nothing of movements or sensors. The ranges in `Lifter.random` are meant to be wide: trained and untrained, young
and over 60, so that whatever is fitted to simulated people meets real ones inside its experience.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Lifter:
    """One person's build, movement habits and unsteadiness; every number is a default of a middling adult.

    Raises
    ------
    ValueError
        If the height is not that of a grown person, or a share is outside 0 to 1.
    """

    height_m: float = 1.75
    """Body height, m; segment lengths follow from it."""
    tempo: float = 1.0
    """Factor on the durations of everything this person does."""
    depth: float = 0.5
    """Where in an exercise's usual range of hip drop this person works, 0 to 1."""
    lean: float = 0.5
    """Where in an exercise's usual range of pelvis tilt this person works, 0 to 1."""
    hips_first: float = 0.03
    """Share of the descent by which the pelvis tilts before the legs bend; negative: knees first."""
    variability: float = 0.05
    """Coefficient of variation of depth, tilt and tempo between repetitions."""
    fatigue: float = 0.2
    """Share by which the last ascent of an all-out set is slower than the first."""
    lockout_gap: float = 0.02
    """Share of the movement that is left undone at the top between repetitions."""
    balance_m: float = 0.045
    """Centre of mass ahead of the ankle in quiet standing, m."""
    stance_abduction_rad: float = 0.35
    """How far the thighs open sideways in a usual squat stance, rad."""
    sway_m: float = 0.004
    """Postural sway of the centre of mass, root mean square, m."""
    sway_rad: float = 0.006
    """Postural sway of the pelvis angles, root mean square, rad."""
    unsteadiness_rad: float = 0.008
    """Irregularity of joint angles while they move at 1 rad/s, root mean square, rad."""
    tremor_rad: float = 0.00008
    """Fine shaking (4-18 Hz) of joint angles moving at 1 rad/s, root mean square, rad; thrice under full strain."""
    asymmetry_rad: float = 0.02
    """Sideways tilt of the pelvis at the turning point; the sign is the side, rad."""
    twist_rad: float = 0.02
    """Turn of the pelvis about the vertical at the turning point, rad."""
    stride_hz: float = 0.93
    """Walking strides (two steps) per second."""
    walking_speed_m_s: float = 1.2
    """Comfortable walking speed, m/s."""
    walking_bounce_m: float = 0.022
    """Amplitude of the vertical pelvis oscillation in walking, m."""
    heel_strike_m_s2: float = 4.0
    """Peak of the heel-strike transient at the pelvis in walking, m/s²."""

    def __post_init__(self) -> None:
        """Check the values that would break the geometry."""
        if not 1.2 <= self.height_m <= 2.3:
            raise ValueError(f"height_m must be 1.2 to 2.3, got {self.height_m}")
        for name in ("depth", "lean", "lockout_gap"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be 0 to 1, got {getattr(self, name)}")

    @classmethod
    def random(cls, rng: np.random.Generator) -> Lifter:
        """Draw a person from a wide population.

        Ranges: sway 2-12 mm and 0.2-1° (quiet standing of young and old adults), cadence 1.6-2.1 steps/s,
        bounce ±1.5-3 cm. One person in four is drawn slow, shallow and unsteady, as many over-60s are.
        """
        careful = rng.random() < 0.25
        unsteady = rng.uniform(1.2, 1.8) if careful else rng.uniform(0.6, 1.4)
        return cls(
            height_m=float(np.clip(rng.normal(1.72, 0.10), 1.48, 2.02)),
            tempo=float(rng.uniform(1.05, 1.5) if careful else rng.uniform(0.75, 1.2)),
            depth=float(rng.beta(1.3, 2.5) if careful else rng.uniform(0, 1)),
            lean=float(rng.uniform(0, 1)),
            hips_first=float(np.clip(rng.normal(0.03, 0.1), -0.2, 0.25)),
            variability=float(rng.uniform(0.02, 0.09) * unsteady),
            fatigue=float(rng.uniform(0, 0.6)),
            lockout_gap=float(rng.choice([0.0, rng.uniform(0, 0.08)])),
            balance_m=float(rng.uniform(0.02, 0.07)),
            stance_abduction_rad=float(rng.uniform(0.1, 0.7)),
            sway_m=float(rng.uniform(0.0025, 0.007) * unsteady),
            sway_rad=float(rng.uniform(0.004, 0.010) * unsteady),
            unsteadiness_rad=float(rng.uniform(0.003, 0.012) * unsteady),
            tremor_rad=float(rng.uniform(0.00003, 0.00018) * unsteady),
            asymmetry_rad=float(rng.normal(0, 0.025)),
            twist_rad=float(rng.normal(0, 0.025)),
            stride_hz=float(rng.uniform(0.80, 1.05)),
            walking_speed_m_s=float(rng.uniform(0.8, 1.0) if careful else rng.uniform(0.9, 1.5)),
            walking_bounce_m=float(rng.uniform(0.013, 0.030)),
            heel_strike_m_s2=float(rng.uniform(1.5, 7.0)),
        )
