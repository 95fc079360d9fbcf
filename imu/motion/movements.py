"""Signals -> movements: excursions from standing and back, in trunk tilt and in hip height.

A movement starts when the trunk tilts or the hip sinks, and is over when the person stands again: the posture is that of
standing, the hip is at rest, and the height, by the estimator of :mod:`imu.motion.vertical`, is the one before. Each of the
three alone is met at the bottom of somebody's squat: real squats are upright there, or at rest, and only height tells.

Where standing is, is found and not asked for: the posture of the last second in which the person rested before moving.

This module refuses to decide whether a movement is a repetition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt

from imu.motion.signals import STEP_S, MotionSignals
from imu.motion.vertical import Standing, VerticalEstimator, VerticalMotion
from imu.samples import STANDARD_GRAVITY_M_S2, Array


def _steps(duration_s: float) -> int:
    return round(duration_s / STEP_S)


@dataclass(frozen=True, slots=True)
class MovementParameters:
    """When a movement starts and ends. All values are physical sizes, none is fitted."""

    onset_tilt_rad: float = math.radians(6)
    """Tilt away from standing that starts a movement: three times the sway of quiet standing."""
    onset_height_m: float = 0.06
    """Height (leaky double integral) that starts one: a step in walking moves the hip by half of it."""
    onset_velocity_m_s: float = 0.07
    """Velocity (leaky integral) that starts one"""
    onset_shake_m_s2: float = 0.2
    """if nothing shakes: walking is as fast but not as smooth."""
    onset_leak_s: float = 1.0
    """Time constant of that integral."""
    onset_search_s: float = 4.0
    """How far back the start is looked for: a tempo squat of 4 s has sunk 6 cm after 1.5 s."""
    resting_tilt_rate_rad_s: float = math.radians(6)
    """Slower rotation can be rest: sway and tremor in a held squat stay below (SisFall holds, 90th percentile 5.2 °/s)."""
    resting_drift_rad_s: float = math.radians(3.5)
    """Nor may the posture drift faster than this: a tempo squat tilts by 30° in 5 s."""
    resting_jerk_m_s2: float = 0.15
    """Change of vertical acceleration from step to step that rest allows."""
    resting_run_s: float = 0.3
    """How long both must last."""
    standing_tilt_rad: float = math.radians(8)
    """Nearer to the standing posture than this is standing posture, or"""
    standing_tilt_of_peak: float = 0.35
    """nearer than this part of the movement's own peak: people start the next repetition before they are quite upright."""
    new_standing_tilt_rad: float = math.radians(20)
    """Or nearer than this and resting for a second: people stand differently after they have walked."""
    other_posture_rad: float = math.radians(45)
    """Further than this from the usual standing posture, the usual one was not standing."""
    standing_height_m: float = 0.08
    """Higher than this below the standing height is up, or"""
    standing_height_of_drop: float = 0.35
    """higher than this part of the movement's own drop."""
    least_tilt_rad: float = math.radians(12)
    """A movement smaller than this"""
    least_drop_m: float = 0.08
    """and this is none: walking tilts the pelvis by 8° and moves it by 5 cm."""
    height_drift_m_s: float = 0.025
    """What the estimator's own standard deviation leaves out, as height per second of movement."""
    possible_m: float = 1.2
    """A hip that moves further than a leg is long shows that the estimate is lost."""
    longest_s: float = 15.0
    """Who has not come back by then has changed position: nobody holds a squat longer (SisFall holds end before 6 s)."""
    stood_up_m: float = 0.2
    """Whoever ends this far above the start was not standing there, but sitting,"""
    stood_up_tilt_rad: float = math.radians(60)
    """unless the trunk bent further than anyone leans to rise from a chair."""


class Ending(Enum):
    """How a movement ended."""

    RETURNED = auto()
    ROSE = auto()
    STAYED = auto()
    INTERRUPTED = auto()
    LOST = auto()
    NOTHING = auto()


@dataclass(frozen=True, slots=True, eq=False)
class Movement:
    """One excursion.

    Attributes
    ----------
    signals : MotionSignals
        Its steps, from the one after the start to the one in which standing was seen again (or it was given up).
    before : MotionSignals
        Up to 1 s before the start.
    standing : Standing
        Posture and level from which it started.
    started_at_rest : bool
        Whether the person rested before it.
    estimator : VerticalEstimator
        The height model; its first ``len(signals)`` samples are this movement.
    rests : tuple of int
        Steps at which the hip rested inside the movement.
    ending : Ending
        How it ended.
    """

    signals: MotionSignals
    before: MotionSignals
    standing: Standing
    started_at_rest: bool
    estimator: VerticalEstimator
    rests: tuple[int, ...]
    ending: Ending

    def height(self, *, returns: bool) -> VerticalMotion:
        """Return the hip's motion, with the height at the end free or that of the start."""
        return self.estimator.solve(len(self.signals), rests=self.rests, end_velocity_sd_m_s=0.05, returns=returns)


def _chord(up: Array, home: Array) -> Array:
    """Return the distance between unit vectors and others or one other; sums written out for bit-equality."""
    difference = up - home
    x, y, z = difference[..., 0], difference[..., 1], difference[..., 2]
    return np.sqrt(x * x + y * y + z * z)


def _run_lengths(flags: NDArray[np.bool_], run_before: int) -> NDArray[np.int64]:
    """Return for each flag the length of the run of true flags that it ends; `run_before` came before the first."""
    step = np.arange(len(flags))
    return step - np.maximum.accumulate(np.where(flags, -1 - run_before, step))


@dataclass(slots=True)
class _Open:
    """A movement that has started and not ended."""

    start: int  # absolute step before the movement's first
    at_rest: bool
    checked: int  # next absolute step to look at
    start_tilt: float
    estimator: VerticalEstimator
    peak_tilt: float = 0.0
    peak_rate: float = 0.0
    last_test: int = 0
    rests: list[int] = field(default_factory=list)  # absolute steps
    rest_is_real: bool = False  # whether the present run of rest passed the velocity test
    regained: int = 0  # length of the run of steps near the usual standing posture
    low_rest: int | None = None  # absolute step in a run of rest that is known to be below standing


class MovementFinder:
    """Find movements in a stream of signals; any cutting gives the same movements.

    A movement is reported with the step in which its end was seen; nothing later is used. Tilts in here are chords,
    ``|up - standing|``, which equal the angle to 1 % below 28°.
    """

    def __init__(self, parameters: MovementParameters | None = None) -> None:
        self._parameters = parameters or MovementParameters()
        self._standing: Standing | None = None  # what the next movement is measured from
        self._usual: Standing | None = None  # the last posture rested in for a second
        self._restart()

    def _restart(self) -> None:
        """Forget the signals, keep the standing posture."""
        self._signals: MotionSignals | None = None
        self._resting = np.empty(0, dtype=np.int64)  # length of the run of rest that each step ends
        self._first = 0  # absolute index of the first step kept
        self._open: _Open | None = None
        self._idle_from(0)

    def push(self, signals: MotionSignals) -> list[Movement]:
        """Take more steps; return the movements that ended in them, in order."""
        if not len(signals):
            return []
        self._append(signals)
        if self._standing is None:
            self._standing = self._standing_at(0)
        ended: list[Movement] = []
        while self._scan_for_onset() if self._open is None else self._follow(self._open, ended):
            pass
        self._forget()
        return ended

    def interrupt(self) -> Movement | None:
        """End the stream here, at a hole or its end; return the movement that was going on, if it was of any size."""
        movement, going_on = None, self._open
        if going_on is not None and going_on.peak_tilt - going_on.start_tilt > self._parameters.least_tilt_rad:
            movement = self._close(going_on, self._end - 1, Ending.INTERRUPTED)
        self._restart()
        return movement

    def nothing_before(self, time_s: float) -> bool:
        """Return whether no movement can be reported any more that started at or before `time_s`."""
        if self._signals is None:
            return False
        if self._open is not None:
            return bool(self._kept.time_s[max(0, self._open.start - self._first)] > time_s)
        return bool(self._kept.time_s[-1] > time_s + self._parameters.onset_search_s)

    # -- the kept signals ------------------------------------------------------------------------------------------

    @property
    def _kept(self) -> MotionSignals:
        if self._signals is None:
            raise ValueError("no signals yet")
        return self._signals

    @property
    def _end(self) -> int:
        """Absolute index after the last step."""
        return self._first + len(self._kept)

    def _part(self, start: int, end: int) -> MotionSignals:
        """Return the steps ``[start, end)`` by absolute index."""
        return self._kept[max(0, start - self._first) : end - self._first]

    def _append(self, signals: MotionSignals) -> None:
        """Keep `signals` and the run length of rest for each step."""
        chosen = self._parameters
        before = None if self._signals is None else self._signals.vertical_m_s2[-1:]
        jerk = np.abs(np.diff(signals.vertical_m_s2, prepend=signals.vertical_m_s2[:1] if before is None else before))
        lag = _steps(chosen.resting_run_s)
        up = signals.up if self._signals is None else np.concatenate((self._signals.up[-lag:], signals.up))
        earlier = up[np.maximum(np.arange(len(up) - len(signals), len(up)) - lag, 0)]
        drift = _chord(signals.up, earlier) / chosen.resting_run_s
        calm = (signals.tilt_rate_rad_s < chosen.resting_tilt_rate_rad_s) & (jerk < chosen.resting_jerk_m_s2)
        calm &= drift < chosen.resting_drift_rad_s
        self._resting = np.concatenate((self._resting, _run_lengths(calm, int(self._resting[-1]) if len(self._resting) else 0)))
        self._signals = signals if self._signals is None else self._signals.followed_by(signals)

    def _forget(self) -> None:
        """Drop what no later decision can reach."""
        chosen = self._parameters
        reach = _steps(max(chosen.longest_s, chosen.onset_search_s) + 2.0)
        surplus = len(self._kept) - reach
        if surplus > 0:
            self._signals = self._kept[surplus:]
            self._resting = self._resting[surplus:]
            self._first += surplus

    def _standing_at(self, step: int) -> Standing:
        """Return posture and level as the mean over the rest that ends with absolute `step`, at most a second of it."""
        last = step - self._first
        run = min(int(self._resting[last]), _steps(1.0))
        if run < _steps(self._parameters.resting_run_s):  # moving: the posture stands for itself, the level means nothing
            up = self._kept.up[max(0, last - 3) : last + 1].mean(axis=0)
            return Standing(up / math.sqrt(up @ up), STANDARD_GRAVITY_M_S2, level_sd_m_s2=0.3)
        steps = slice(max(0, last + 1 - run), last + 1)
        up = self._kept.up[steps].mean(axis=0)
        return Standing(up / math.sqrt(up @ up), float(self._kept.vertical_m_s2[steps].mean()), level_sd_m_s2=0.015)

    def _tilt(self, up: Array) -> Array:
        """Return the chord between each row and standing."""
        return _chord(up, self._home.up)

    @property
    def _home(self) -> Standing:
        if self._standing is None:
            raise ValueError("no standing posture yet")
        return self._standing

    # -- standing: waiting for a movement --------------------------------------------------------------------------

    def _idle_from(self, step: int, least_tilt: float = math.inf) -> None:
        """Wait for the next movement from absolute `step` on."""
        self._open = None
        self._free_from = self._scanned = step
        self._least_tilt = least_tilt
        self._leaky = np.zeros((2, 2))  # state of the leaky double integrator
        self._sinking = np.empty((0, 2))  # its velocity and height since _free_from

    def _scan_for_onset(self) -> bool:
        """Look at the next steps for the start of a movement; return whether to go on."""
        chosen = self._parameters
        window = self._part(self._scanned, min(self._end, self._scanned + 128))
        if not len(window):
            return False
        resting = self._resting[self._scanned - self._first :][: len(window)]
        tilt = self._tilt(window.up)
        least = np.minimum(np.minimum.accumulate(tilt), self._least_tilt)
        sinking, state = self._integrate(window.vertical_m_s2 - self._home.vertical_m_s2)
        smooth = (np.abs(sinking[:, 0]) > chosen.onset_velocity_m_s) & (window.shake_m_s2 < chosen.onset_shake_m_s2)
        onset = (tilt - least > chosen.onset_tilt_rad) | (np.abs(sinking[:, 1]) > chosen.onset_height_m) | smooth
        settled = (resting == _steps(1.0)) | ((resting > 0) & (resting % _steps(5.0) == 0))
        hits = np.flatnonzero(onset | settled)
        taken = int(hits[0]) + 1 if len(hits) else len(window)
        if len(hits):  # the filter must stand where we stop
            sinking, state = self._integrate(window.vertical_m_s2[:taken] - self._home.vertical_m_s2)
        self._leaky = state
        self._sinking = np.concatenate((self._sinking, sinking))[-_steps(chosen.onset_search_s) :]
        self._least_tilt = float(least[taken - 1])
        self._scanned += taken
        if len(hits) and onset[hits[0]]:
            self._start(self._scanned - 1)
        elif len(hits):
            self._standing = self._standing_at(self._scanned - 1)
            self._least_tilt = 0.0
            if self._usual is None or _chord(self._standing.up, self._usual.up) < chosen.new_standing_tilt_rad:
                self._usual = self._standing
        return True

    def _integrate(self, vertical_m_s2: Array) -> tuple[Array, Array]:
        """Return leaky velocity and height, (n, 2), and the integrator's state after them."""
        leak = math.exp(-STEP_S / self._parameters.onset_leak_s)
        section = np.array([[STEP_S, 0.0, 0.0, 1.0, -leak, 0.0]])
        velocity, first = sosfilt(section, vertical_m_s2, zi=self._leaky[:1])
        height, second = sosfilt(section, velocity, zi=self._leaky[1:])
        return np.column_stack((velocity, height)), np.concatenate((first, second))

    def _start(self, onset: int) -> None:
        """Open a movement whose onset was seen at absolute step `onset`: look back to where it began."""
        chosen = self._parameters
        earliest = max(self._free_from, onset - len(self._sinking) + 1, self._first)
        steps = slice(earliest - self._first, onset - self._first)
        tilt = self._tilt(self._kept.up[steps])
        velocity, height = self._sinking[earliest - onset - 1 : -1].T
        calm = (
            (tilt - self._least_tilt < math.radians(2.5))
            & (np.abs(velocity) < 0.03)
            & (np.abs(height) < 0.015)
            & (self._kept.tilt_rate_rad_s[steps] < chosen.resting_tilt_rate_rad_s)
        )
        still = np.flatnonzero(calm)
        at_rest = len(still) > 0
        start = earliest + int(still[-1]) if at_rest else max(earliest, onset - _steps(0.8))
        if self._resting[start - self._first] >= _steps(chosen.resting_run_s):
            self._standing = self._standing_at(start)
        estimator = VerticalEstimator(self._home, 0.03 if at_rest else 0.15, STEP_S, chosen.longest_s + 1.0)
        self._open = _Open(start, at_rest, start + 1, self._least_tilt, estimator, last_test=start)

    # -- moving: waiting for the return ----------------------------------------------------------------------------

    def _follow(self, going_on: _Open, ended: list[Movement]) -> bool:
        """Look at the next steps for the end of the movement; return whether to go on."""
        chosen = self._parameters
        first = going_on.checked
        window = self._part(first, min(self._end, first + 64))
        if not len(window):
            return False
        going_on.estimator.extend(window.up, window.vertical_m_s2)
        tilt = self._tilt(window.up)
        peak = np.maximum(np.maximum.accumulate(tilt), going_on.peak_tilt)
        rate = window.tilt_rate_rad_s
        peak_rate = np.maximum(np.maximum.accumulate(rate), going_on.peak_rate)
        resting = self._resting[first - self._first :][: len(window)]
        upright = tilt < np.maximum(chosen.standing_tilt_rad, chosen.standing_tilt_of_peak * peak)
        upright |= (tilt < np.minimum(chosen.new_standing_tilt_rad, 0.6 * peak)) & (resting >= _steps(1.0))
        slow = rate < np.maximum(0.25, 0.3 * peak_rate)
        before = self._tilt(self._part(first - 2, first).up) if first - self._first >= 2 else tilt[:2]
        tilts = np.concatenate((before, tilt))
        turning = (tilts[2:] >= tilts[1:-1]) & (tilts[1:-1] <= tilts[:-2])
        run = _steps(chosen.resting_run_s)
        rests = (resting >= run) & (resting % run == 0)
        away = _chord(self._home.up, self._usual.up) if self._usual is not None else 0.0
        if self._usual is not None and away > chosen.new_standing_tilt_rad:
            near = _chord(window.up, self._usual.up) < chosen.standing_tilt_rad
            regained = _run_lengths(near, going_on.regained)
            going_on.regained = int(regained[-1])
        else:
            regained = np.zeros(len(window), dtype=np.int64)
        late = np.arange(first, first + len(window)) - going_on.start >= _steps(chosen.longest_s)
        for i in np.flatnonzero((upright & (slow | turning)) | rests | late | (regained == _steps(1.0))):
            step = first + int(i)
            going_on.peak_tilt, going_on.peak_rate = float(peak[i]), float(peak_rate[i])
            if rests[i]:
                self._note_rest(going_on, step, int(resting[i]))
            elif resting[i] == 0:
                going_on.rest_is_real = False
            ending = self._test_return(going_on, step, int(resting[i]), slow=bool(slow[i])) if upright[i] else None
            if ending is None and (late[i] or regained[i] == _steps(1.0)):
                ending = Ending.STAYED
            if ending is not None:
                self._finish(going_on, step, ending, ended)
                return True
        going_on.peak_tilt, going_on.peak_rate = float(peak[-1]), float(peak_rate[-1])
        going_on.checked = first + len(window)
        return True

    @staticmethod
    def _rests_until(going_on: _Open, step: int) -> list[int]:
        return [rest - going_on.start - 1 for rest in going_on.rests if rest <= step]

    def _note_rest(self, going_on: _Open, step: int, resting: int) -> None:
        """Take a calm run as rest, unless the hip is known to be moving: a slow steady descent is calm too."""
        if step <= going_on.start + _steps(self._parameters.resting_run_s):
            return
        run = _steps(self._parameters.resting_run_s)
        if resting == run or not going_on.rest_is_real:
            motion = going_on.estimator.solve(step - going_on.start, rests=self._rests_until(going_on, step))
            speed, sd = abs(float(motion.velocity_m_s[-1])), motion.velocity_sd_m_s
            going_on.rest_is_real = speed < (0.05 + 3.0 * sd if resting >= _steps(1.0) else 0.02 + 2.0 * sd)
        if going_on.rest_is_real:
            going_on.rests.append(step)

    def _test_return(self, going_on: _Open, step: int, resting: int, *, slow: bool) -> Ending | None:
        """Return how the movement ended if the person stands again at absolute `step`, else ``None``."""
        chosen = self._parameters
        duration = step - going_on.start
        small = going_on.peak_tilt - going_on.start_tilt < chosen.least_tilt_rad
        if small and duration < _steps(1.5) and going_on.estimator.naive_lowest_m(duration) > -chosen.least_drop_m:
            return self._nothing_yet(resting, duration)
        known_low = going_on.low_rest is not None and resting > step - going_on.low_rest
        if duration < _steps(0.5) or step - going_on.last_test < 2 or known_low:
            return None
        going_on.last_test = step
        still_sd = 0.03 if resting >= _steps(0.2) else 0.08 if slow else 0.2
        motion = going_on.estimator.solve(
            duration, rests=self._rests_until(going_on, step - _steps(0.2)), end_velocity_sd_m_s=still_sd
        )
        drop = max(0.0, -float(motion.height_m.min()))
        height, velocity = float(motion.height_m[-1]), float(abs(motion.velocity_m_s[-1]))
        if small and drop < chosen.least_drop_m:
            still_sinking = drop > 0.5 * chosen.least_drop_m and duration < _steps(3.0)
            return None if still_sinking and resting < _steps(0.5) else self._nothing_yet(resting, duration)
        arrested = velocity < max(0.1, 0.25 * float(np.abs(motion.velocity_m_s).max()))
        allowed = max(chosen.standing_height_m, chosen.standing_height_of_drop * drop)
        bent = going_on.peak_tilt > 0.5
        if max(drop, height) > chosen.possible_m:  # the end velocity may be what is wrong
            free = going_on.estimator.solve(duration, rests=self._rests_until(going_on, step))
            return Ending.LOST if float(np.abs(free.height_m).max()) > chosen.possible_m else None
        if not arrested:
            return None
        doubt = 1.5 * math.hypot(motion.height_sd_m, chosen.height_drift_m_s * duration * STEP_S)
        sure_posture = bent or resting >= _steps(1.0)
        if height + doubt < (0.0 if sure_posture else -allowed) and height < -allowed:
            if resting >= _steps(0.5) and going_on.rest_is_real:
                going_on.low_rest = step
            return None
        rose = height - 2 * motion.height_sd_m > max(chosen.stood_up_m, 0.5 * drop)
        return Ending.ROSE if rose and going_on.peak_tilt < chosen.stood_up_tilt_rad else Ending.RETURNED

    @staticmethod
    def _nothing_yet(resting: int, duration: int) -> Ending | None:
        """Give a small movement up once the person rests, or it has had the time to become larger."""
        return Ending.NOTHING if resting >= _steps(0.5) or duration >= _steps(1.5) else None

    def _finish(self, going_on: _Open, step: int, ending: Ending, ended: list[Movement]) -> None:
        """Close the movement at absolute `step` and wait for the next one."""
        chosen = self._parameters
        if ending is not Ending.NOTHING:
            ended.append(self._close(going_on, step, ending))
        if ending is Ending.RETURNED and going_on.at_rest:
            self._usual = self._home
        if self._resting[step - self._first] >= _steps(0.5) and ending is not Ending.LOST:
            self._standing = self._standing_at(step)
        elif ending in (Ending.ROSE, Ending.STAYED, Ending.LOST):
            here = self._standing_at(step)
            lying = self._usual is None or _chord(here.up, self._usual.up) > chosen.other_posture_rad
            self._standing = here if lying else self._usual
        tilt = float(self._tilt(self._part(step, step + 1).up)[0])
        self._idle_from(step, least_tilt=tilt)
        self._scanned = step + 1

    def _close(self, going_on: _Open, step: int, ending: Ending) -> Movement:
        """Return the movement up to absolute `step`."""
        return Movement(
            signals=self._part(going_on.start + 1, step + 1),
            before=self._part(going_on.start + 1 - _steps(1.0), going_on.start + 1),
            standing=self._home,
            started_at_rest=going_on.at_rest,
            estimator=going_on.estimator,
            rests=tuple(self._rests_until(going_on, step)),
            ending=ending,
        )
