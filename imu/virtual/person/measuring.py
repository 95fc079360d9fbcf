"""From the motion of the pelvis to the rows that a sensor reports.

First exact kinematics of the sensor point, then the errors in the order in which they arise: soft tissue, the chip's
filter, scale, offset, noise, clipping, counts, lost packets, time stamps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from imu.samples import STANDARD_GRAVITY_M_S2, Array, ImuBlock
from imu.virtual.person.body import BodyMotion
from imu.virtual.person.script import smooth_step
from imu.virtual.person.sensor import Sensor

FINE_RATE_HZ = 400.0
"""Least internal rate; a heel strike of 20 ms half width is resolved at it."""
MARGIN = 2
"""Internal rows before the first and after the last that differentiation uses up."""
Rows = NDArray[np.intp]
GRAVITY_REACTION_M_S2 = np.array([0.0, 0.0, STANDARD_GRAVITY_M_S2])


@dataclass(frozen=True, slots=True, eq=False)
class SensorMotion:
    """Exact motion of the sensor, with `MARGIN` rows dropped at both ends.

    Attitude (n, 3, 3) sensor to world; position (n, 3), m, world; specific force (n, 3), m/s², and angular velocity
    (n, 3), rad/s, in the sensor frame.
    """

    sensor_to_world: Array
    position_m: Array
    specific_force_m_s2: Array
    angular_velocity_rad_s: Array


def rows_per_sample(sensor: Sensor) -> int:
    """Return how many internal rows there are per reported row."""
    return int(np.ceil(FINE_RATE_HZ / sensor.sampling_rate_hz))


def true_rate_hz(sensor: Sensor) -> float:
    """Return the sampling rate in true time: a fast clock samples more often."""
    return sensor.sampling_rate_hz * (1.0 + 1e-6 * sensor.clock_drift_ppm)


def body_times(sensor: Sensor, duration_s: float) -> Array:
    """Return the internal rows in true time, (n,), s; row `MARGIN` is time zero, the first sample."""
    factor = rows_per_sample(sensor)
    samples = int(np.floor(duration_s * true_rate_hz(sensor)))
    return np.arange(-MARGIN, samples * factor + MARGIN + 1) / (factor * true_rate_hz(sensor))


def _rate(values: Array, step_s: float) -> Array:
    """Return the first derivative along axis 0 to fourth order, two rows shorter at both ends."""
    return np.asarray((8 * (values[3:-1] - values[1:-3]) - (values[4:] - values[:-4])) / (12 * step_s))


def _second_rate(values: Array, step_s: float) -> Array:
    """Return the second derivative along axis 0 to fourth order, two rows shorter at both ends."""
    near, far = values[3:-1] + values[1:-3], values[4:] + values[:-4]
    return np.asarray((16 * near - far - 30 * values[2:-2]) / (12 * step_s**2))


def _attitude(yaw: Array, pitch: Array, roll: Array) -> Array:
    """Return ``Rz(yaw) @ Ry(pitch) @ Rx(roll)``, (n, 3, 3)."""
    sy, cy, sp, cp, sr, cr = np.sin(yaw), np.cos(yaw), np.sin(pitch), np.cos(pitch), np.sin(roll), np.cos(roll)
    rows = [
        cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr,
        sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr,
        -sp, cp * sr, cp * cr,
    ]  # fmt: skip
    return np.stack(rows, axis=-1).reshape(-1, 3, 3)


def _body_angular_velocity(motion: BodyMotion, pitch: Array, step_s: float) -> Array:
    """Return the angular velocity in the body frame, (n - 4, 3), rad/s."""
    inner = slice(MARGIN, -MARGIN)
    yaw_rate, pitch_rate, roll_rate = (_rate(a, step_s) for a in (motion.yaw_rad, pitch, motion.roll_rad))
    sp, cp = np.sin(pitch[inner]), np.cos(pitch[inner])
    sr, cr = np.sin(motion.roll_rad[inner]), np.cos(motion.roll_rad[inner])
    return np.column_stack(
        [roll_rate - yaw_rate * sp, pitch_rate * cr + yaw_rate * cp * sr, yaw_rate * cp * cr - pitch_rate * sr]
    )


def _slip(sensor: Sensor, rng: np.random.Generator, time_s: Array) -> Array:
    """Return the slip, a small rotation vector in the body frame, (n, 3), rad: three slips of one to three seconds."""
    slip = np.zeros((len(time_s), 3))
    for _ in range(3):
        start, length = rng.uniform(0, max(time_s[-1] - 3.0, 0.1)), rng.uniform(1.0, 3.0)
        axis = rng.normal(0, (1.0, 1.0, 0.3))
        slip += np.outer(smooth_step((time_s - start) / length), sensor.slip_rad / 3 * axis / np.linalg.norm(axis))
    return slip


def carry(motion: BodyMotion, sensor: Sensor, rng: np.random.Generator) -> SensorMotion:
    """Return how the pelvis carries the sensor: lever arm, belt, turn in the holder and slip."""
    inner = slice(MARGIN, -MARGIN)
    step_s = float(motion.time_s[1] - motion.time_s[0])
    pelvis = _attitude(motion.yaw_rad, motion.pitch_rad, motion.roll_rad)
    position = motion.hip_position_m + pelvis @ sensor.position_m
    belt_pitch = motion.pitch_rad + sensor.belt_follow * motion.hip_flexion_rad
    belt = _attitude(motion.yaw_rad[inner], belt_pitch[inner], motion.roll_rad[inner])
    rate = _body_angular_velocity(motion, belt_pitch, step_s)
    mount = np.broadcast_to(sensor.sensor_to_body, belt.shape)
    if sensor.slip_rad:
        slip = _slip(sensor, rng, motion.time_s)
        rate = rate + _rate(slip, step_s)  # exact to second order in a slip of 3°
        mount = Rotation.from_rotvec(slip[inner]).as_matrix() @ mount
    sensor_to_world = belt @ mount
    acceleration = _second_rate(position, step_s) + GRAVITY_REACTION_M_S2
    return SensorMotion(
        sensor_to_world=sensor_to_world,
        position_m=position[inner],
        specific_force_m_s2=np.einsum("nij,ni->nj", sensor_to_world, acceleration),
        angular_velocity_rad_s=np.einsum("nij,ni->nj", mount, rate),
    )


def _wobble(sensor: Sensor, force: Array, turn_rate: Array, rate_hz: float) -> tuple[Array, Array]:
    """Add the resonance of the sensor on soft tissue: a mass on a damped spring, driven by the acceleration."""
    from scipy.signal import bilinear, lfilter  # noqa: PLC0415 - slow to import

    w = 2 * np.pi * sensor.wobble_hz
    spring = [1.0, 2 * sensor.wobble_damping * w, w * w]
    driven = force - force[0]
    b, a = bilinear([-1.0, 0.0, 0.0], spring, rate_hz)
    force = force + sensor.wobble_coupling * lfilter(b, a, driven, axis=0)
    b, a = bilinear([-1.0, 0.0], spring, rate_hz)
    velocity = sensor.wobble_coupling * lfilter(b, a, driven, axis=0)
    outward = np.array([1.0, 0.0, 0.0]) @ Rotation.from_rotvec(sensor.turn_rotvec_rad).as_matrix()
    return force, turn_rate + sensor.wobble_tilt_rad_m * np.cross(outward, velocity)


def _low_pass(values: Array, corner_hz: float, rate_hz: float) -> Array:
    """Return the values after the chip's own second-order low-pass, in steady state at the first row."""
    from scipy.signal import butter, sosfilt, sosfilt_zi  # noqa: PLC0415 - slow to import

    sos = butter(2, corner_hz, fs=rate_hz, output="sos")
    initial = sosfilt_zi(sos)[:, :, None] * values[0]
    return np.asarray(sosfilt(sos, values, axis=0, zi=initial)[0])


def _digitise(values: Array, limit: float | None, step: float) -> Array:
    """Return the values in whole counts, cut at the end of the range."""
    if step:
        values = np.round(values / step) * step
    return values if limit is None else np.clip(values, -limit, limit)


def report(motion: SensorMotion, sensor: Sensor, rng: np.random.Generator) -> tuple[ImuBlock, Rows]:
    """Return the rows as the sensor reports them, and the numbers of the sampled rows that arrived, (m,)."""
    force, turn_rate = motion.specific_force_m_s2, motion.angular_velocity_rad_s
    factor = rows_per_sample(sensor)
    fine_hz = factor * sensor.sampling_rate_hz
    if sensor.wobble_coupling:
        force, turn_rate = _wobble(sensor, force, turn_rate, fine_hz)
    if sensor.bandwidth_hz is not None:
        force = _low_pass(force, sensor.bandwidth_hz, fine_hz)
        turn_rate = _low_pass(turn_rate, sensor.bandwidth_hz, fine_hz)
    force, turn_rate = force[::factor], turn_rate[::factor]
    n = len(force)
    time = np.arange(n) / sensor.sampling_rate_hz
    root_bandwidth = np.sqrt(sensor.sampling_rate_hz / 2)
    warming = np.outer(1 - np.exp(-time / 300.0), sensor.angular_velocity_drift_rad_s)
    force = force * sensor.acceleration_scale + sensor.acceleration_offset_m_s2
    force = force + sensor.acceleration_noise_m_s2_rthz * root_bandwidth * rng.standard_normal((n, 3))
    turn_rate = turn_rate * sensor.angular_velocity_scale + sensor.angular_velocity_offset_rad_s + warming
    turn_rate = turn_rate + sensor.angular_velocity_noise_rad_s_rthz * root_bandwidth * rng.standard_normal((n, 3))
    force = _digitise(force, sensor.acceleration_range_m_s2, sensor.acceleration_step_m_s2)
    turn_rate = _digitise(turn_rate, sensor.angular_velocity_range_rad_s, sensor.angular_velocity_step_rad_s)
    packets = -(-n // sensor.packet_rows)
    arrived = np.repeat(rng.random(packets) >= sensor.lost_packet_probability, sensor.packet_rows)[:n]
    time = time + sensor.time_jitter_s * rng.standard_normal(n)
    return ImuBlock(time[arrived], force[arrived], turn_rate[arrived]), np.flatnonzero(arrived)
