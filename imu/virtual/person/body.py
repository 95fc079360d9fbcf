"""Body kinematics: from movement commands to the exact motion of the pelvis.

A planar chain of shank, thigh and upper body stands on fixed feet. Two angles are commanded (thigh, trunk); the shank
follows from balance: the centre of mass stays where it should be over the feet. So hips that go back take the trunk
forward, and knees go forward when the trunk stays up, as in people. Sideways tilt, turns, steps and bounce are added in
3-D.

Knows nothing of sensors. World frame: z up, x in the first heading; pitch is positive forward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from imu.samples import Array
from imu.virtual.person.lifter import Lifter
from imu.virtual.person.script import Channel, Script

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

    Knees do not bend backward: where the drop is less than straight legs give at this trunk angle, straight legs it is.
    """
    thigh = np.linspace(0.0, 2.1, 421)
    _, height, knee = leg_chain(lifter, thigh, np.full_like(thigh, trunk_rad), balance_m, abduction_rad)
    standing = leg_chain(lifter, np.zeros(1), np.zeros(1), 0.0, 0.0)[1][0]
    enough = (standing - height >= hip_drop_m) & (knee >= -0.02)
    return float(thigh[np.argmax(enough)]) if enough.any() else float(thigh[-1])


def _shaped_noise(rng: np.random.Generator, rows: int, low_hz: float, corner_hz: float, high_hz: float) -> Array:
    """Return noise of unit root mean square: flat from `low_hz`, falling as 1/f² from `corner_hz` to `high_hz`."""
    frequency = np.fft.rfftfreq(rows, 1 / NOISE_RATE_HZ)
    shape = (frequency > low_hz) / (1 + (frequency / corner_hz) ** 2) * np.exp(-((frequency / high_hz) ** 4))
    power = np.sqrt(np.sum(shape**2) / len(shape))
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(rows)) * shape, rows)
    return np.asarray(noise / max(power, 1e-9))


def _unsteadiness(script: Script, lifter: Lifter, rng: np.random.Generator, time_s: Array) -> dict[Channel, Array]:
    """Return what is added to each channel, (n,): sway always, irregularity with speed, tremor under strain.

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
