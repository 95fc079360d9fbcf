"""When a movement ends: the physical sizes by which :mod:`imu.motion.pursuit` tells standing again.

"Simulated" in what follows: 1634 repetitions of 45 sessions of :func:`imu.simulate.random_session`, seeds 1 to 45.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PursuitParameters:
    """When a movement ends. All values are physical sizes, none is fitted."""

    # -- posture
    standing_tilt_rad: float = math.radians(8)
    """Nearer to the standing posture than this is standing posture, or"""
    standing_tilt_of_peak: float = 0.35
    """nearer than this part of the movement's own peak: people start the next repetition before they are quite
    upright."""
    slow_rotation_rad_s: float = 0.25
    """And rotating slower than this (held squats sway with up to 0.09 rad/s, SisFall's 90th percentile), or"""
    slow_rotation_of_peak: float = 0.3
    """slower than this part of the movement's own peak (simulated repetitions end with 0.27 of it, the median), or just
    past the least tilt: swings go straight on into the next."""
    new_standing_tilt_rad: float = math.radians(20)
    """Or nearer than this and resting for so long: people stand differently after they have walked."""
    new_standing_rest_s: float = 2.0
    """That long: most pauses in repetitions are shorter."""
    new_standing_tilt_of_peak: float = 0.6
    """If that is not just the bent position itself."""
    regained_s: float = 1.0
    """Who started from another posture and stands as usual for so long has not done a repetition."""

    # -- rest
    rest_s: float = 0.3
    """How long the hip must be calm before it may be at rest."""
    rest_velocity_m_s: float = 0.05
    """It is if its velocity may be as low as this, sway included:"""
    sure_rest_s: float = 0.9
    """Calm up to this long may be a slow steady movement after all: a tempo squat's lasts up to a second."""
    refuted_velocity_m_s: float = 0.08
    """It was, if by the return to standing the hip moved faster than this then."""
    telling_s: float = 8.0
    """Longer movements tell little of the sensor's errors: the wander has grown."""
    forgotten: float = 0.1
    """Share of what is known of the sensor's errors that is forgotten with each movement: they drift with temperature,
    and one movement may have been understood wrongly."""
    back_m: float = 0.05
    """Heights within this of the start, and the estimate's own error, are a return, by so many standard deviations:"""
    back_sds: float = 2.0
    rest_velocity_sds: float = 2.5
    """the estimate less so many of its standard deviations (99 % of a normal distribution)."""
    settled_s: float = 0.5
    """Calm for so long is standing, not the top of a swing."""

    # -- height
    start_velocity_sd_m_s: float = 0.03
    """Hip velocity at a start from rest (95 % of simulated starts are slower than this),"""
    moving_start_velocity_sd_m_s: float = 0.15
    """and at another (simulated: 0.11, root mean square)."""
    end_window_s: float = 0.2
    """The last so many seconds before an end count as that end and not as a rest of their own."""
    calm_end_velocity_sd_m_s: float = 0.03
    """Hip velocity at an end after a calm `end_window_s`, as at a start from rest,"""
    slow_end_velocity_sd_m_s: float = 0.08
    """at one with slow rotation (simulated: 0.05, root mean square),"""
    fast_end_velocity_sd_m_s: float = 0.2
    """and at one with fast rotation: wide, for it may turn out to be none."""
    standing_velocity_m_s: float = 0.1
    """Standing is slower than this, or"""
    standing_velocity_of_peak: float = 0.25
    """slower than this part of the movement's own peak (95 % of simulated repetitions end below 0.20 of it)."""
    standing_height_m: float = 0.08
    """Higher than this below the standing height is up, or"""
    standing_height_of_drop: float = 0.35
    """higher than this part of the movement's own drop."""
    height_drift_m_s: float = 0.025
    """What the estimator's own standard deviation leaves out, as height per second of movement."""
    bent_rad: float = 0.5
    """After a tilt beyond this, or once settled, the posture says more than the height:"""
    doubt_sds: float = 1.5
    """then a height counts as low only by more than so many standard deviations (93 % of a normal distribution)."""

    # -- what is no excursion from standing
    least_tilt_rad: float = math.radians(12)
    """A movement smaller than this"""
    least_drop_m: float = 0.08
    """and this is none: walking tilts the pelvis by 8° and moves it by 5 cm."""
    sunk_of_least: float = 0.5
    """It may become one while the hip is lower than this part of `least_drop_m`,"""
    sinking_s: float = 3.0
    """for so long: a tempo squat of 4 s has sunk further by then."""
    naive_s: float = 1.5
    """Until then the height without the estimator is good enough (0.03 m/s² make 3 cm), and nothing is given up."""
    shortest_s: float = 0.5
    """No repetition is shorter."""
    longest_s: float = 15.0
    """Who has not come back by then has changed position: nobody holds a squat longer (SisFall holds end before 6
    s)."""
    possible_m: float = 0.9
    """A hip that moves further than a leg is long (.49 of 1.85 m) has climbed stairs, or the estimate is lost."""
    stood_up_m: float = 0.2
    """Whoever ends this far above the start was not standing there, but sitting; or"""
    stood_up_of_drop: float = 0.5
    """further above than this part of the movement's own drop, whichever is more,"""
    stood_up_sds: float = 2.0
    """and by so many standard deviations (98 % of a normal distribution),"""
    stood_up_tilt_rad: float = math.radians(60)
    """unless the trunk bent further than anyone leans to rise from a chair. Then the posture alone tells standing."""
