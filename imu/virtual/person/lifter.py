"""The simulated lifter: build, habits and unsteadiness, and how the body moves.

A planar chain of shank, thigh and upper body stands on fixed feet. The script commands two angles, thigh and trunk; the
shank follows from balance: the centre of mass stays where it should be over the feet. So hips that go back take the
trunk forward, and knees go forward when the trunk stays up, as in people. Sideways tilt, turns, steps and bounce are
added in 3-D. World frame: z up, x in the first heading; pitch is positive forward.

A `Performer` writes poses into a script and draws from the lifter's habits; exercises and daily movements are made of
these. `perform` turns the finished script into the exact motion of the pelvis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from imu.samples import Array
from imu.virtual.person.script import PLAIN, Channel, Cycle, Profile, Script

Span = tuple[float, float]
"""Lowest and highest value of something that is drawn."""

# Shares of body height, DESIGN.md; shares of body mass and centres of mass, de Leva 1996
# (doi:10.1016/0021-9290(95)00178-6), both legs together. The upper body is trunk, head and arms, its lever
# is from the hip joint to its centre of mass.
SHANK_LENGTH, THIGH_LENGTH, UPPER_BODY_LEVER = 0.246, 0.245, 0.188
SHANK_MASS, THIGH_MASS, UPPER_BODY_MASS = 0.0866, 0.2832, 0.603
SHANK_CENTRE, THIGH_CENTRE = 0.554, 0.590  # from the lower joint

SHANK_LEAN_LIMIT = 0.85  # sine of the largest shank lean; the heel lifts before that

NOISE_RATE_HZ = 50.0
SEAT_BALANCE_M = 0.2
"""With the centre of mass this far behind its place in standing, a seat carries the body, and it hardly sways."""


@dataclass(frozen=True, slots=True)
class Lifter:
    """One person's build, movement habits and unsteadiness; the defaults are those of an average adult.

    Raises
    ------
    ValueError
        If the height is not that of a grown person, or a share is outside 0 to 1.
    """

    height_m: float = 1.75
    """Body height, m; segment lengths follow from it."""
    tempo: float = 1.0
    """Factor on the durations of all movements."""
    depth: float = 0.5
    """Place of this person's hip drop in the usual range of an exercise, 0 to 1."""
    lean: float = 0.5
    """Place of this person's pelvis tilt in the usual range of an exercise, 0 to 1."""
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
        bounce ±1.5-3 cm. One person in four is slow, shallow and unsteady, as many people over 60 are. The ranges
        are wide, so that a counter fitted to simulated people covers real ones.
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


# --- legs ------------------------------------------------------------------------------------------------------------


def standing_thigh_rad(lifter: Lifter) -> float:
    """Return the thigh angle of straight legs in quiet standing (forward lean of the whole leg, so negative), rad."""
    levers = _balance_levers(lifter)
    return -float(np.arcsin(lifter.balance_m / (levers[0] + levers[1])))


def _balance_levers(lifter: Lifter) -> tuple[float, float, float]:
    """Return by how many metres the centre of mass moves per unit sine of shank, thigh and trunk angle."""
    shank = SHANK_LENGTH * (SHANK_MASS * SHANK_CENTRE + THIGH_MASS + UPPER_BODY_MASS)
    thigh = THIGH_LENGTH * (THIGH_MASS * THIGH_CENTRE + UPPER_BODY_MASS)
    trunk = UPPER_BODY_LEVER * UPPER_BODY_MASS
    return shank * lifter.height_m, thigh * lifter.height_m, trunk * lifter.height_m


def leg_chain(
    lifter: Lifter, thigh_rad: Array, trunk_rad: Array, balance_m: Array | float, abduction_rad: Array | float
) -> tuple[Array, Array, Array]:
    """Return hip x and z over the ankle, m, and knee flexion, rad, of a balanced pose.

    Parameters
    ----------
    thigh_rad : (n,) array
        Thigh angle relative to quiet standing, backward positive.
    trunk_rad : (n,) array
        Forward pitch of the upper body.
    balance_m, abduction_rad : (n,) array or float
        Shift of the centre of mass from quiet standing; opening of the thighs.
    """
    shank_lever, thigh_lever, trunk_lever = _balance_levers(lifter)
    thigh = standing_thigh_rad(lifter) + thigh_rad
    thigh_back = np.sin(thigh) * np.cos(abduction_rad)
    centre = lifter.balance_m + np.asarray(balance_m)
    wanted = (centre + thigh_lever * thigh_back - trunk_lever * np.sin(trunk_rad)) / shank_lever
    sine = wanted / (1.0 + (wanted / SHANK_LEAN_LIMIT) ** 8) ** 0.125
    shank_m, thigh_m = SHANK_LENGTH * lifter.height_m, THIGH_LENGTH * lifter.height_m
    hip_x = shank_m * sine - thigh_m * thigh_back
    hip_z = shank_m * np.sqrt(1.0 - sine * sine) + thigh_m * np.cos(thigh)
    return np.asarray(hip_x), np.asarray(hip_z), np.asarray(np.arcsin(sine) + thigh)


def thigh_for_drop(
    lifter: Lifter, hip_drop_m: float, trunk_rad: float, balance_m: float = 0.0, abduction_rad: float = 0.0
) -> float:
    """Return the thigh angle at which the hip joint is `hip_drop_m` lower than in quiet standing, rad.

    Knees do not bend backward: where straight legs drop the hip further at this trunk angle, the legs stay straight.
    """
    thigh = np.linspace(0.0, 2.1, 421)
    _, height, knee = leg_chain(lifter, thigh, np.full_like(thigh, trunk_rad), balance_m, abduction_rad)
    standing = leg_chain(lifter, np.zeros(1), np.zeros(1), 0.0, 0.0)[1][0]
    enough = (standing - height >= hip_drop_m) & (knee >= -0.02)
    return float(thigh[np.argmax(enough)]) if enough.any() else float(thigh[-1])


# --- writing movements -----------------------------------------------------------------------------------------------

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
        """Draw from `span` around this lifter's usual place in it, 0 to 1."""
        place = float(np.clip(habit + 0.2 * self.rng.standard_normal(), 0.0, 1.0))
        return span[0] + place * (span[1] - span[0])

    def varied(self, value: float, share: float = 1.0) -> float:
        """Return `value` with this lifter's variation between repetitions, at most three standard deviations."""
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


# --- from script to motion -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class BodyMotion:
    """The pelvis over time: hip position (n, 3), m, in the world frame, and attitude as yaw, pitch and roll, (n,), rad.

    The attitude is ``Rz(yaw) @ Ry(pitch) @ Rx(roll)``, body to world. `hip_flexion_rad` is the angle between
    pelvis and thigh beyond that in quiet standing, (n,), rad.
    """

    time_s: Array
    hip_position_m: Array
    yaw_rad: Array
    pitch_rad: Array
    roll_rad: Array
    hip_flexion_rad: Array


def _shaped_noise(rng: np.random.Generator, rows: int, low_hz: float, corner_hz: float, high_hz: float) -> Array:
    """Return noise of unit root mean square: flat from `low_hz`, falling as 1/f² from `corner_hz` to `high_hz`."""
    frequency = np.fft.rfftfreq(rows, 1 / NOISE_RATE_HZ)
    shape = (frequency > low_hz) / (1 + (frequency / corner_hz) ** 2) * np.exp(-((frequency / high_hz) ** 4))
    power = np.sqrt(np.sum(shape**2) / len(shape))
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(rows)) * shape, rows)
    return np.asarray(noise / max(power, 1e-9))


def _unsteadiness(script: Script, lifter: Lifter, rng: np.random.Generator, time_s: Array) -> dict[Channel, Array]:
    """Return the unsteadiness of each channel, (n,): sway always, irregularity with speed, tremor under strain.

    Made at 50 Hz on the body's own time, so that it does not depend on the sensor's rate, then splined (C2).
    """
    rows = int(np.ceil((script.now_s + 3.0) * NOISE_RATE_HZ))
    coarse = np.arange(rows) / NOISE_RATE_HZ - 0.5
    command = script.render(coarse)
    sway_scale = 1.0 + np.maximum(command["fidget"], 0.0)
    seated = np.clip(-command["balance"] / SEAT_BALANCE_M, 0.0, 1.0)
    sway_m = lifter.sway_m * (0.7 + 0.3 * sway_scale) * (1.0 - 0.8 * seated)
    rate = np.hypot(np.gradient(command["thigh"]), np.gradient(command["pelvis"])) * NOISE_RATE_HZ
    smear = np.hanning(17) / np.hanning(17).sum()
    moving = np.convolve(np.minimum(rate, 1.5), smear, mode="same")
    shaking = 0.3 + moving + 2.0 * np.clip(command["strain"], 0.0, 1.0)

    def joint(sway_rad: float, moving_share: float) -> Array:
        sway = sway_rad * sway_scale * _shaped_noise(rng, rows, 0.03, 0.3, 2.0)
        irregular = lifter.unsteadiness_rad * moving_share * moving * _shaped_noise(rng, rows, 0.5, 1.5, 5.0)
        tremor = lifter.tremor_rad * shaking * _shaped_noise(rng, rows, 4.0, 15.0, 18.0)
        return np.asarray(sway + irregular + tremor)

    table: dict[Channel, Array] = {
        "pelvis": joint(0.7 * lifter.sway_rad, 1.0),
        "thigh": joint(0.15 * lifter.sway_rad, 0.6),
        "roll": joint(0.5 * lifter.sway_rad, 0.5),
        "twist": joint(0.6 * lifter.sway_rad, 0.5),
        "balance": sway_m * _shaped_noise(rng, rows, 0.03, 0.3, 2.0),
        "lateral": 0.6 * sway_m * _shaped_noise(rng, rows, 0.03, 0.3, 2.0),
    }
    values = CubicSpline(coarse, np.column_stack(list(table.values())))(time_s)
    return dict(zip(table, values.T, strict=True))


def perform(script: Script, lifter: Lifter, rng: np.random.Generator, time_s: Array) -> BodyMotion:
    """Return the motion of the pelvis when `lifter` carries out `script`, at the ascending times `time_s`, (n,)."""
    command = script.render(time_s)
    for channel, addition in _unsteadiness(script, lifter, rng, time_s).items():
        command[channel] = command[channel] + addition
    abduction = command["abduction"] + lifter.stance_abduction_rad
    hip_x, hip_z, _ = leg_chain(lifter, command["thigh"], command["trunk"], command["balance"], abduction)
    heading = command["heading"]
    step_s = np.diff(time_s, prepend=time_s[0])
    cosine, sine = np.cos(heading), np.sin(heading)
    x = np.cumsum(command["speed"] * cosine * step_s) + cosine * hip_x - sine * command["lateral"]
    y = np.cumsum(command["speed"] * sine * step_s) + sine * hip_x + cosine * command["lateral"]
    return BodyMotion(
        time_s=time_s,
        hip_position_m=np.column_stack([x, y, hip_z + command["height"]]),
        yaw_rad=heading + command["twist"],
        pitch_rad=command["pelvis"],
        roll_rad=command["roll"],
        hip_flexion_rad=command["pelvis"] + command["thigh"],
    )


# --- on foot ---------------------------------------------------------------------------------------------------------
#
# A gait is a set of waves on one common, slightly wandering cycle (vertical bounce, sideways sway, turn and tilt of the
# pelvis) with an impact transient at each heel strike.

ANGLES: tuple[Channel, ...] = ("pelvis", "roll", "twist")


@dataclass(frozen=True, slots=True)
class Gait:
    """One way of moving on foot."""

    stride_hz: float
    speed_m_s: float
    bounce_m: float
    heel_strike_m_s2: float
    rise_per_step_m: float = 0.0
    pelvis_lean_rad: float = 0.03
    swing_rad: float = 0.06
    """Amplitude of pelvis turn; sideways tilt is two thirds of it, pitch half."""


def usual_walk(performer: Performer) -> Gait:
    """Return this lifter's walk as of now."""
    pace = performer.uniform((0.85, 1.1))
    return Gait(
        performer.lifter.stride_hz * pace,
        performer.lifter.walking_speed_m_s * pace,
        performer.varied(performer.lifter.walking_bounce_m, 2) * pace,
        performer.lifter.heel_strike_m_s2 * pace,
        swing_rad=performer.uniform((0.04, 0.15)),
    )


def go(performer: Performer, gait: Gait, duration_s: float, turn_rad: float = 0.0) -> None:
    """Go for `duration_s`, turning by `turn_rad` on the way, and stop."""
    script, start = performer.script, performer.script.now_s
    end = start + duration_s
    fade = min(0.9, 0.4 * duration_s)
    wander = (performer.uniform((0.05, 0.3)), performer.uniform((0.1, 0.5)), performer.uniform((0, 6)))
    cycle = Cycle(start, gait.stride_hz, *wander)
    pace: dict[Channel, float] = {"speed": gait.speed_m_s, "pelvis": gait.pelvis_lean_rad, "trunk": 0.02}
    for channel, change in pace.items():
        script.move(channel, start, fade, change)
        script.move(channel, end - fade, fade, -change)
    _waves(performer, gait, cycle, end)
    _heel_strikes(performer, gait, cycle, end)
    if turn_rad:
        turning = min(duration_s, abs(turn_rad) / performer.uniform((0.8, 1.8)) + 0.5)
        script.move("heading", start + performer.uniform((0.0, duration_s - turning)), turning, turn_rad)
    script.now_s = end


def _waves(performer: Performer, gait: Gait, cycle: Cycle, end_s: float) -> None:
    """Add what repeats with every stride; the higher harmonics differ from person to person and walk to walk."""
    script, rng, swing = performer.script, performer.rng, gait.swing_rad
    shift = performer.uniform((-0.6, 0.6))
    script.wave("height", cycle, end_s, gait.bounce_m, harmonic=2, phase_rad=-np.pi / 2)
    script.wave("lateral", cycle, end_s, rng.uniform(0.015, 0.035), phase_rad=shift)
    script.wave("speed", cycle, end_s, 0.1 * gait.speed_m_s, harmonic=2, phase_rad=2.0)
    waves: tuple[tuple[Channel, int, float, float], ...] = (
        ("height", 1, 0.15 * gait.bounce_m, shift),
        ("height", 4, 0.15 * gait.bounce_m, performer.uniform((0.0, 6.3))),
        ("height", 6, 0.03 * gait.bounce_m, performer.uniform((0.0, 6.3))),
        ("twist", 1, swing, 1.4 + shift),
        ("roll", 1, 0.67 * swing, 0.6 + shift),
        ("pelvis", 1, 0.15 * swing, shift),
        ("pelvis", 2, 0.5 * swing, 1.0 + shift),
        *((channel, 3, 0.2 * swing, performer.uniform((0.0, 6.3))) for channel in ANGLES),
        *((channel, 4, 0.15 * swing, performer.uniform((0.0, 6.3))) for channel in ANGLES),
    )
    for channel, harmonic, amplitude, phase in waves:
        size = amplitude * performer.uniform((0.4, 1.6))
        script.wave(channel, cycle, end_s, size, harmonic=harmonic, phase_rad=phase)


def _heel_strikes(performer: Performer, gait: Gait, cycle: Cycle, end_s: float) -> None:
    """Add the impact transients, a thud and a sharper knock, and on stairs the rise, of every step."""
    script, uniform = performer.script, performer.uniform
    step_s = 0.5 / gait.stride_hz
    thud_s, knock_s = uniform((0.06, 0.11)), uniform((0.028, 0.05))
    strikes = np.concatenate([cycle.times_of(phase, end_s - 0.2) for phase in (0.3, np.pi + 0.3)])
    for time in np.sort(strikes):
        for half_width, share in ((thud_s, 0.6), (knock_s, 0.5)):
            peak = share * gait.heel_strike_m_s2 * half_width**2 / 6 * uniform((0.6, 1.4))
            script.bump("height", time, half_width, -peak)
            script.bump("lateral", time + 0.01, half_width, uniform((-0.6, 0.6)) * peak)
        for channel in ANGLES:
            script.bump(channel, time + 0.02, thud_s, gait.heel_strike_m_s2 * uniform((-0.0015, 0.0025)))
        if gait.rise_per_step_m:
            script.move("height", time, min(1.5 * step_s, end_s - time), gait.rise_per_step_m)
