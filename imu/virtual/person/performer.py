"""A lifter writing movements into a script: poses, and draws from habits.

Exercises and daily movements are made of these. Knows geometry and habits, but no names of movements.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imu.virtual.person.body import thigh_for_drop
from imu.virtual.person.lifter import Lifter
from imu.virtual.person.script import PLAIN, Channel, Profile, Script

Span = tuple[float, float]
"""Lowest and highest value of something that is drawn."""

REFERENCE_HEIGHT_M = 1.75  # the body height for which DESIGN.md gives hip drops


@dataclass(frozen=True, slots=True)
class Performer:
    """A lifter, the script being written and the random numbers that vary it."""

    script: Script
    lifter: Lifter
    rng: np.random.Generator

    def uniform(self, span: Span) -> float:
        """Draw evenly from `span`."""
        return float(self.rng.uniform(*span))

    def length(self, duration_s: float | None, low_s: float, high_s: float) -> float:
        """Return the asked duration, or draw one, s."""
        return self.uniform((low_s, high_s)) if duration_s is None else duration_s

    def seconds(self, span: Span) -> float:
        """Draw a duration, s, at this lifter's tempo."""
        return self.uniform(span) * self.lifter.tempo

    def habitual(self, span: Span, habit: float) -> float:
        """Draw from `span` around the place (0 to 1) where this lifter usually is."""
        place = float(np.clip(habit + 0.2 * self.rng.standard_normal(), 0.0, 1.0))
        return span[0] + place * (span[1] - span[0])

    def varied(self, value: float, share: float = 1.0) -> float:
        """Return `value` with this lifter's variation between repetitions; never beyond three deviations."""
        deviation = float(np.clip(self.rng.standard_normal(), -3.0, 3.0))
        return value * max(1.0 + share * self.lifter.variability * deviation, 0.25)

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return bool(self.rng.random() < probability)

    def side(self) -> float:
        """Return -1 or 1."""
        return 1.0 if self.chance(0.5) else -1.0

    def profile(self, effort: float = 0.0) -> Profile:
        """Draw how a movement is spread over its time.

        Two overlapping steps make early, late and flat velocity profiles. High effort tends to leave a valley between
        them, the sticking region: two velocity peaks in one ascent.
        """
        if effort > 0.5 and self.chance(effort):
            share, end = self.uniform((0.3, 0.55)), self.uniform((0.4, 0.6))
            return ((share, 0.0, end), (1.0 - share, end - self.uniform((0.05, 0.2)), 1.0))
        share = self.uniform((0.3, 0.7))
        return ((share, 0.0, self.uniform((0.65, 1.0))), (1.0 - share, self.uniform((0.0, 0.35)), 1.0))

    def grinding_profile(self) -> Profile:
        """Draw how a grinding ascent is spread over its time: two pushes with hardly any movement between them."""
        halt, share = self.uniform((0.35, 0.5)), self.uniform((0.3, 0.6))
        recovery, creep = halt + self.uniform((-0.05, 0.15)), 0.08
        return ((share * (1.0 - creep), 0.0, halt), ((1.0 - share) * (1.0 - creep), recovery, 1.0), (creep, 0.0, 1.0))

    def wait(self, duration_s: float) -> None:
        """Hold the pose."""
        self.script.now_s += duration_s

    def thigh(self, hip_drop_m: float, trunk_rad: float) -> float:
        """Return the thigh angle for a hip drop, in the present balance and stance, rad."""
        level = self.script.level
        abduction = level["abduction"] + self.lifter.stance_abduction_rad
        return thigh_for_drop(self.lifter, hip_drop_m, trunk_rad, level["balance"], abduction)

    def scaled(self, drop_m: float) -> float:
        """Return a hip drop that is given for a body of 1.75 m, for this body, m."""
        return drop_m * self.lifter.height_m / REFERENCE_HEIGHT_M

    def pose(
        self, duration_s: float, pelvis_rad: float, hip_drop_m: float, spine_rad: float = 0.0, profile: Profile = PLAIN
    ) -> None:
        """Move to a pose and advance: pelvis pitch, hip drop, and the bend of the spine beyond the pelvis."""
        start, trunk = self.script.now_s, max(pelvis_rad, -0.5) + spine_rad
        thigh = self.thigh(hip_drop_m, trunk) if hip_drop_m or pelvis_rad else 0.0
        targets: dict[Channel, float] = {"pelvis": pelvis_rad, "trunk": trunk, "thigh": thigh}
        for channel, target in targets.items():
            self.script.move_to(channel, start, duration_s, target, profile)
        self.wait(duration_s)

    def excursion(self, channel: Channel, start_s: float, duration_s: float, peak: float) -> None:
        """Take a channel away by `peak` and back within the duration."""
        self.script.move(channel, start_s, 0.55 * duration_s, peak)
        self.script.move(channel, start_s + 0.45 * duration_s, 0.55 * duration_s, -peak)
