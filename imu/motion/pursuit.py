"""One movement that has started: followed until the person stands again.

Standing again is a posture like that of standing, a hip at rest, and the height of before. Each of the three alone
is met at the bottom of somebody's squat: real squats are upright there, or at rest, and only height tells.

This module refuses to decide what the movement was.
"""

from __future__ import annotations

import math
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from imu.motion.pursuit_parameters import PursuitParameters
from imu.motion.signals import MotionSignals, chord, run_lengths
from imu.motion.steps import STEP_S, steps_in
from imu.motion.vertical import SensorErrors, Standing, VerticalEstimator, VerticalMotion
from imu.samples import Array

TEST_STEPS = 2
"""Standing is tested at every second step: a cost, for one test solves for the height, and a delay of 0.05 s."""


class Ending(Enum):
    """How a movement ended."""

    RETURNED = auto()
    """Standing again, at the height of before."""
    ROSE = auto()
    """Standing, but higher than at the start."""
    STAYED = auto()
    """Not standing after the longest time."""
    LOST = auto()
    """The height became impossible: the movement did not start from rest where it seemed to."""
    INTERRUPTED = auto()
    """The stream ended, or a gap came."""
    NOTHING = auto()
    """Too small to be a movement; not reported."""


class Pursuit:
    """Follow one movement.

    Parameters
    ----------
    standing : Standing
        Posture and level from which it started.
    usual : Standing or None
        The posture in which this person usually stands.
    started_at_rest : bool
        Whether the start was still.
    start_tilt_rad : float
        Tilt at the start.
    parameters : PursuitParameters or None
        When a movement ends.
    """

    def __init__(
        self,
        standing: Standing,
        usual: Standing | None,
        *,
        started_at_rest: bool,
        start_tilt_rad: float,
        errors: SensorErrors | None = None,
        parameters: PursuitParameters | None = None,
    ) -> None:
        self._parameters = chosen = parameters or PursuitParameters()
        self.standing = standing
        self.started_at_rest = started_at_rest
        start_velocity_sd = chosen.start_velocity_sd_m_s if started_at_rest else chosen.moving_start_velocity_sd_m_s
        self.estimator = VerticalEstimator(standing, start_velocity_sd, STEP_S, chosen.longest_s + 1.0, errors=errors)
        self._elsewhere = (
            usual if usual is not None and usual.apart_from(standing) > chosen.new_standing_tilt_rad else None
        )
        self._start_tilt = start_tilt_rad
        self._peak_tilt = 0.0
        self._peak_rate = 0.0
        self._lowest_naive_m = 0.0  # lowest height if the standing level were the only error
        self._last_tilts = np.full(2, -1.0)
        self._near_usual = 0  # run of steps near the usual posture, if that is another
        self._rests: list[int] = []
        self._at_rest = False  # whether the present calm run passed the velocity test
        self._low_rest: int | None = None  # sample in a calm run that is known to be below standing
        self._last_test = 0

    @property
    def notable(self) -> bool:
        """Whether the movement is larger than walking makes them."""
        return self._peak_tilt - self._start_tilt > self._parameters.least_tilt_rad

    @property
    def rests(self) -> tuple[int, ...]:
        """Samples at which the hip has rested so far."""
        return tuple(self._rests)

    def rests_until(self, sample: int) -> tuple[int, ...]:
        """Return the samples at which the hip rested, up to `sample`."""
        return tuple(rest for rest in self._rests if rest <= sample)

    def look(self, window: MotionSignals) -> tuple[int, Ending] | None:
        """Look at the next steps; return how many the movement took of them and how it ended, or ``None`` to go on."""
        chosen = self._parameters
        before = len(self.estimator)
        longest = steps_in(chosen.longest_s) + 1 - before
        window = window if len(window) <= longest else window[:longest]
        self.estimator.extend(window.up, window.vertical_m_s2)
        tilt, rate, resting = chord(window.up, self.standing.up), window.tilt_rate_rad_s, window.resting_steps
        peak = np.maximum(np.maximum.accumulate(tilt), self._peak_tilt)
        peak_rate = np.maximum(np.maximum.accumulate(rate), self._peak_rate)
        slow = rate < np.maximum(chosen.slow_rotation_rad_s, chosen.slow_rotation_of_peak * peak_rate)
        upright = tilt < np.maximum(chosen.standing_tilt_rad, chosen.standing_tilt_of_peak * peak)
        upright &= slow | self._turning(tilt)
        new_posture = tilt < np.minimum(chosen.new_standing_tilt_rad, chosen.new_standing_tilt_of_peak * peak)
        upright |= new_posture & (resting >= steps_in(chosen.new_standing_rest_s))
        idle = np.zeros(len(window), dtype=bool)
        if before < steps_in(chosen.naive_s):
            idle, over = self._idle(peak, resting, before)
            upright &= over | ~idle
        upright[: max(0, steps_in(chosen.shortest_s) - before)] = False
        calm = (resting >= steps_in(chosen.rest_s)) & (resting % steps_in(chosen.rest_s) == 0)
        stays = self._regained(window)
        stays[steps_in(chosen.longest_s) - before :] = True
        for i in np.flatnonzero(upright | calm | stays).tolist():
            self._peak_tilt, self._peak_rate = float(peak[i]), float(peak_rate[i])
            now, run = before + i, int(resting[i])
            if run <= steps_in(chosen.rest_s):
                self._at_rest = False
            if calm[i] and now >= steps_in(chosen.rest_s):
                self._note_rest(now)
            ending = self._test(now, run, slow=bool(slow[i]), idle=bool(idle[i])) if upright[i] else None
            if ending is None and stays[i]:
                ending = Ending.STAYED
            if ending is not None:
                return i + 1, ending
        self._peak_tilt, self._peak_rate = float(peak[-1]), float(peak_rate[-1])
        return None

    def _idle(
        self, peak: Array, resting: NDArray[np.int64], before: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return whether nothing worth a test has happened up to each step, and whether it then also is over."""
        chosen = self._parameters
        height = self.estimator.naive_height_m[before:]
        lowest = np.minimum(np.minimum.accumulate(height), self._lowest_naive_m)
        self._lowest_naive_m = float(lowest[-1])
        idle = (peak - self._start_tilt <= chosen.least_tilt_rad) & (lowest > -chosen.least_drop_m)
        idle[max(0, steps_in(chosen.naive_s) - before) :] = False
        stands = (resting >= steps_in(chosen.settled_s)) & (height >= -chosen.sunk_of_least * chosen.least_drop_m)
        return idle, idle & stands

    def _turning(self, tilt: Array) -> NDArray[np.bool_]:
        """Return for each step whether the tilt has just passed a minimum."""
        tilts = np.concatenate((self._last_tilts, tilt))
        self._last_tilts = tilts[-2:]
        turning: NDArray[np.bool_] = (tilts[2:] >= tilts[1:-1]) & (tilts[1:-1] <= tilts[:-2])
        return turning

    def _regained(self, window: MotionSignals) -> NDArray[np.bool_]:
        """Return whether the usual posture has been held for a second, where the movement started from another."""
        if self._elsewhere is None:
            return np.zeros(len(window), dtype=bool)
        near = run_lengths(chord(window.up, self._elsewhere.up) < self._parameters.standing_tilt_rad, self._near_usual)
        self._near_usual = int(near[-1])
        held: NDArray[np.bool_] = near == steps_in(self._parameters.regained_s)
        return held

    def _note_rest(self, now: int) -> None:
        """Take calm as rest, unless the hip is known to be moving: a slow steady descent is calm too."""
        if not self._at_rest:
            chosen = self._parameters
            motion = self.estimator.solve(now + 1, rests=self._rests)
            speed, sd = abs(motion.last_velocity_m_s), motion.velocity_sd_m_s
            self._at_rest = speed < chosen.rest_velocity_m_s + chosen.rest_velocity_sds * sd
        if self._at_rest:
            self._rests.append(now)

    def _test(self, now: int, run: int, *, slow: bool, idle: bool) -> Ending | None:
        """Return how the movement ended if the person stands again at sample `now`, else ``None``."""
        chosen = self._parameters
        known_low = self._low_rest is not None and run > now - self._low_rest
        if now - self._last_test < TEST_STEPS or known_low:
            return None
        if idle:
            return Ending.NOTHING
        self._last_test = now
        small, rested = not self.notable, run >= steps_in(chosen.settled_s)
        end = steps_in(chosen.end_window_s)
        end_velocity_sd = chosen.slow_end_velocity_sd_m_s if slow else chosen.fast_end_velocity_sd_m_s
        if run >= end:
            end_velocity_sd = chosen.calm_end_velocity_sd_m_s
        motion = self._motion(now, run, self.rests_until(now - end), end_velocity_sd)
        drop = max(0.0, -float(motion.height_m.min()))
        if small and drop < chosen.least_drop_m:
            sinking = drop > chosen.sunk_of_least * chosen.least_drop_m and now < steps_in(chosen.sinking_s)
            return Ending.NOTHING if rested or (now >= steps_in(chosen.naive_s) and not sinking) else None
        if max(drop, motion.last_height_m) > chosen.possible_m:
            return self._lost(now)
        return self._returned(motion, drop, now, rested=rested)

    def _motion(self, now: int, run: int, rests: tuple[int, ...], end_velocity_sd: float) -> VerticalMotion:
        """Return the motion up to sample `now`.

        Where the person is at rest in standing posture and yet not at the height of before, brief calm in between may
        have been a slow steady movement: what the return to standing refutes was no rest.
        """
        chosen = self._parameters
        motion = self.estimator.solve(now + 1, rests=rests, end_velocity_sd_m_s=end_velocity_sd)
        if run < steps_in(chosen.rest_s) or self._is_back(motion):
            return motion
        brief = self._brief(rests, before=now - run)
        if not brief:
            return motion
        sure = tuple(rest for rest in rests if rest not in brief)
        back = self.estimator.solve(now + 1, rests=sure, end_velocity_sd_m_s=end_velocity_sd, returns=True)
        velocity = back.velocity_m_s
        refuted = {rest for rest in brief if abs(float(velocity[rest])) > chosen.refuted_velocity_m_s}
        if not refuted:
            return motion
        kept = tuple(rest for rest in rests if rest not in refuted)
        without = self.estimator.solve(now + 1, rests=kept, end_velocity_sd_m_s=end_velocity_sd)
        if not self._is_back(without):
            return motion
        self._rests = [rest for rest in self._rests if rest not in refuted]
        return without

    def _is_back(self, motion: VerticalMotion) -> bool:
        """Whether the last height can be that of the start."""
        chosen = self._parameters
        return abs(motion.last_height_m) < chosen.back_sds * math.hypot(motion.height_sd_m, chosen.back_m)

    def _brief(self, rests: tuple[int, ...], before: int) -> set[int]:
        """Return the rests that belong to calm shorter than anyone rests for sure, and over before sample `before`."""
        every = steps_in(self._parameters.rest_s)
        runs: list[list[int]] = []
        for rest in rests:
            if runs and rest - runs[-1][-1] <= every:
                runs[-1].append(rest)
            else:
                runs.append([rest])
        longest = round(self._parameters.sure_rest_s / self._parameters.rest_s)
        return {rest for run in runs if len(run) <= longest and run[-1] < before for rest in run}

    def _returned(self, motion: VerticalMotion, drop: float, now: int, *, rested: bool) -> Ending | None:
        """Return whether hip velocity and height are those of standing again."""
        chosen = self._parameters
        peak_velocity = float(np.abs(motion.velocity_m_s).max())
        standing_velocity = max(chosen.standing_velocity_m_s, chosen.standing_velocity_of_peak * peak_velocity)
        if abs(motion.last_velocity_m_s) > standing_velocity:
            return None
        height = motion.last_height_m
        height_sd = math.hypot(motion.height_sd_m, chosen.height_drift_m_s * now * STEP_S)
        doubt = chosen.doubt_sds * height_sd if rested or self._peak_tilt > chosen.bent_rad else 0.0
        low = height < -max(chosen.standing_height_m, chosen.standing_height_of_drop * drop)
        if low and height + doubt < 0.0:
            self._low_rest = now if rested and self._at_rest else self._low_rest
            return None
        higher = height > max(chosen.stood_up_m, chosen.stood_up_of_drop * drop) + chosen.stood_up_sds * height_sd
        return Ending.ROSE if higher and self._peak_tilt < chosen.stood_up_tilt_rad else Ending.RETURNED

    def _lost(self, now: int) -> Ending | None:
        """Return what an impossible height means: perhaps only that the hip is not at rest now."""
        free = self.estimator.solve(now + 1, rests=self._rests)
        if float(np.abs(free.height_m).max()) < self._parameters.possible_m:
            return None
        return Ending.RETURNED if self._peak_tilt > self._parameters.stood_up_tilt_rad else Ending.LOST
