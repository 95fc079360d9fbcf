"""Standing still, or about: waiting for the trunk to tilt or the hip to sink.

This module refuses to know when a movement ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu.motion.signals import MotionSignals, chord
from imu.motion.steps import STEP_S, steps_in
from imu.motion.vertical import Standing
from imu.samples import Array


@dataclass(frozen=True, slots=True)
class OnsetParameters:
    """When a movement starts. All values are physical sizes, none is fitted."""

    tilt_rad: float = math.radians(6)
    """Tilt beyond the least one since the last movement: three times the sway of quiet standing."""
    height_m: float = 0.06
    """Or height (leaky double integral): a step in walking moves the hip by half of it."""
    velocity_m_s: float = 0.07
    """Or velocity (leaky integral)"""
    shake_m_s2: float = 0.2
    """if nothing shakes: walking is as fast but not as smooth."""
    leak_s: float = 1.0
    """Time constant of the integrals: forgets an error of the level within seconds."""
    search_s: float = 4.0
    """How far back the start is looked for: a tempo squat of 4 s has sunk 6 cm after 1.5 s."""
    still_tilt_rad: float = math.radians(2.5)
    """At the start the trunk has tilted less than this,"""
    still_velocity_m_s: float = 0.03
    """moves slower than this,"""
    still_height_m: float = 0.015
    """has moved less than this,"""
    still_tilt_rate_rad_s: float = math.radians(6)
    """and rotates slower than this."""
    longest_run_up_s: float = 0.8
    """If it was never still: the start is taken this long before the onset."""


class OnsetWatch:
    """Watch for the start of a movement from one standing posture.

    Parameters
    ----------
    standing : Standing
        Posture and level to measure from.
    least_tilt_rad : float
        Tilt at which the last movement ended: people do not straighten up fully at once.
    parameters : OnsetParameters or None
        When a movement starts.
    """

    def __init__(self, standing: Standing, least_tilt_rad: float, parameters: OnsetParameters | None = None) -> None:
        self._parameters = chosen = parameters or OnsetParameters()
        self._standing = standing
        self.least_tilt_rad = least_tilt_rad
        self._leak = math.exp(-STEP_S / chosen.leak_s)
        self._velocity = self._height = 0.0
        self._since_still = math.inf  # steps from the last still one to the one looked at last

    def scan(self, window: MotionSignals) -> tuple[int, bool]:
        """Look at the next steps, up to an onset; return how many, and whether the last of them is one."""
        chosen = self._parameters
        tilt = chord(window.up, self._standing.up)
        least = np.minimum(np.minimum.accumulate(tilt), self.least_tilt_rad)
        risen = tilt - least
        tilted = (risen > chosen.tilt_rad).nonzero()[0]
        taken = int(tilted[0]) + 1 if len(tilted) else len(window)
        still = (risen < chosen.still_tilt_rad) & (window.tilt_rate_rad_s < chosen.still_tilt_rate_rad_s)
        taken, moved = self._integrate(window.vertical_m_s2[:taken], window.shake_m_s2[:taken], still[:taken])
        self.least_tilt_rad = float(least[taken - 1])
        return taken, moved or bool(risen[taken - 1] > chosen.tilt_rad)

    def settle(self, standing: Standing) -> None:
        """Measure from a posture in which the person has come to rest."""
        self._standing = standing
        self.least_tilt_rad = 0.0

    def steps_since_still(self) -> int | None:
        """Return how many steps before the onset the person was last still; ``None`` if not within reach."""
        within_reach = self._since_still <= steps_in(self._parameters.search_s)
        return int(self._since_still) if within_reach else None

    def _integrate(self, vertical_m_s2: Array, shake_m_s2: Array, may_be_still: NDArray[np.bool_]) -> tuple[int, bool]:
        """Follow leaky velocity and height up to a step in which the hip moves; return how far, and whether it moved.

        A plain loop: one step depends on the last, and any cutting must give the same bits.
        """
        chosen, leak = self._parameters, self._leak
        high, rising, near, slow = (
            chosen.height_m,
            chosen.velocity_m_s,
            chosen.still_height_m,
            chosen.still_velocity_m_s,
        )
        low, sinking = -high, -rising
        velocity, height, since_still = self._velocity, self._height, self._since_still
        gained_m_s = ((vertical_m_s2 - self._standing.vertical_m_s2) * STEP_S).tolist()
        smooth = (shake_m_s2 < chosen.shake_m_s2).tolist()
        taken, moved = 0, False
        for gained, is_smooth, is_calm in zip(gained_m_s, smooth, may_be_still.tolist(), strict=True):
            taken += 1
            velocity = velocity * leak + gained
            height = height * leak + velocity * STEP_S
            since_still += 1
            if height > high or height < low or (is_smooth and (velocity > rising or velocity < sinking)):
                moved = True
                break
            if is_calm and abs(velocity) < slow and abs(height) < near:
                since_still = 0
        self._velocity, self._height, self._since_still = velocity, height, since_still
        return taken, moved
