"""The worn sensor: where it sits on the pelvis, and the rows that it reports of the motion of the pelvis.

First exact kinematics of the sensor point, then the errors in the order in which they arise: soft tissue, the chip's
filter, scale, offset, noise, clipping, counts, lost packets, time stamps. Ranges: DESIGN.md ("Sensors").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from imu.samples import STANDARD_GRAVITY_M_S2, Array, ImuBlock
from imu.virtual.person.lifter import BodyMotion
from imu.virtual.person.script import smooth_step

Place = Literal["back", "left", "right", "front"]
Triple = tuple[float, float, float]

PLACES: dict[Place, tuple[float, float, float]] = {
    "back": (-0.10, 0.0, np.pi),
    "front": (0.10, 0.0, 0.0),
    "left": (0.0, 0.15, np.pi / 2),
    "right": (0.0, -0.15, -np.pi / 2),
}
"""Place on the belt: forward and left of the hip joint centre, m, and the direction in which the sensor faces, rad."""

MILLI_G = 1e-3 * STANDARD_GRAVITY_M_S2
ZERO: Triple = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor and how it is worn; the default has no errors.

    Raises
    ------
    ValueError
        If the sampling rate is outside 20 to 1000 Hz, the place is unknown, or a probability or length is impossible.
    """

    place: Place = "back"
    above_hip_joint_m: float = 0.11
    """Height of the sensor above the hip joint along the pelvis, m."""
    girth: float = 1.0
    """Factor on the distance of the belt from the hip joint."""
    turn_rotvec_rad: Triple = ZERO
    """How the sensor is turned in its holder, as a rotation vector, rad."""
    sampling_rate_hz: float = 100.0
    bandwidth_hz: float | None = None
    """Corner of the chip's own second-order low-pass, Hz; None: no filter and no delay."""
    acceleration_noise_m_s2_rthz: float = 0.0
    """Noise density, m/s² per √Hz."""
    angular_velocity_noise_rad_s_rthz: float = 0.0
    """Noise density, rad/s per √Hz."""
    acceleration_offset_m_s2: Triple = ZERO
    angular_velocity_offset_rad_s: Triple = ZERO
    angular_velocity_drift_rad_s: Triple = ZERO
    """The growth of the offset as the chip warms up, with a time constant of five minutes."""
    acceleration_scale: Triple = (1.0, 1.0, 1.0)
    angular_velocity_scale: Triple = (1.0, 1.0, 1.0)
    acceleration_range_m_s2: float | None = None
    """Largest value that can be reported, m/s²; None: any."""
    angular_velocity_range_rad_s: float | None = None
    acceleration_step_m_s2: float = 0.0
    """Size of one count, m/s²; 0: not quantised."""
    angular_velocity_step_rad_s: float = 0.0
    wobble_hz: float = 10.0
    """Resonance of the sensor on soft tissue and cloth, Hz."""
    wobble_damping: float = 0.3
    wobble_coupling: float = 0.0
    """Share of the resonant motion that the sensor takes part in, 0: rigid."""
    wobble_tilt_rad_m: float = 4.0
    """How far the sensor tilts per metre of that motion, rad/m."""
    belt_follow: float = 0.0
    """Share of hip flexion by which belly and thigh tilt the belt against the pelvis."""
    slip_rad: float = 0.0
    """How far the sensor slips in its place over the session, in a few small slips, rad."""
    clock_drift_ppm: float = 0.0
    """How much faster than true time the sensor's clock runs, parts per million."""
    time_jitter_s: float = 0.0
    """Standard deviation of the error of each time stamp, s."""
    lost_packet_probability: float = 0.0
    packet_rows: int = 10
    """Rows that travel, and are lost, together."""

    def __post_init__(self) -> None:
        """Check the values."""
        if not 20 <= self.sampling_rate_hz <= 1000:
            raise ValueError(f"sampling_rate_hz must be 20 to 1000, got {self.sampling_rate_hz}")
        if self.place not in PLACES:
            raise ValueError(f"place must be one of {', '.join(PLACES)}, got {self.place!r}")
        if not 0 <= self.lost_packet_probability < 1:
            raise ValueError(f"lost_packet_probability must be in [0, 1), got {self.lost_packet_probability}")
        if self.packet_rows < 1:
            raise ValueError(f"packet_rows must be at least 1, got {self.packet_rows}")

    @property
    def position_m(self) -> Array:
        """Where the sensor sits from the hip joint centre, in the body frame, (3,), m."""
        forward, left, _ = PLACES[self.place]
        return np.array([self.girth * forward, self.girth * left, self.above_hip_joint_m])

    @property
    def sensor_to_body(self) -> Array:
        """Rotation from the sensor frame to the body frame in quiet standing, (3, 3)."""
        facing = Rotation.from_euler("z", PLACES[self.place][2])
        return np.asarray((facing * Rotation.from_rotvec(self.turn_rotvec_rad)).as_matrix())

    @classmethod
    def ideal(cls, place: Place = "back", sampling_rate_hz: float = 100.0) -> Sensor:
        """Return a sensor without errors."""
        return cls(place=place, sampling_rate_hz=sampling_rate_hz)

    @classmethod
    def random(cls, rng: np.random.Generator) -> Sensor:
        """Draw a sensor and the way it is worn; small errors are much more common than large ones."""
        rate = float(rng.choice([25, 26, 50, 50, 52, 60, 100, 100, 100, 104, 120, 200, 200, 208, 256, 400]))
        worst = bool(rng.random() < 0.05)  # an old or cheap part: ±20 dps, ±80 mg are in data sheets
        noise_mg = 0.40 if worst else np.exp(rng.uniform(np.log(0.07), np.log(0.18)))
        acceleration_range = float(rng.choice([4, 8, 8, 16, 16])) * STANDARD_GRAVITY_M_S2
        turn_rate_range = float(np.radians(rng.choice([500, 1000, 2000, 2000])))
        offset_mg = np.clip(rng.normal(0, 40 if worst else 12, 3), -80, 80)
        offset_dps = rng.choice([-1, 1], 3) * np.minimum(rng.exponential(6.0 if worst else 0.7, 3), 20.0)
        return cls(
            place=_PLACE_NAMES[int(rng.integers(4))],
            above_hip_joint_m=float(rng.uniform(0.08, 0.14)),
            girth=float(rng.uniform(0.85, 1.25)),
            turn_rotvec_rad=_random_turn(rng),
            sampling_rate_hz=rate,
            bandwidth_hz=float(rng.uniform(0.35, 0.48)) * rate if rng.random() < 0.8 else None,
            acceleration_noise_m_s2_rthz=float(noise_mg) * MILLI_G,
            angular_velocity_noise_rad_s_rthz=float(np.radians(np.exp(rng.uniform(np.log(0.004), np.log(0.010))))),
            acceleration_offset_m_s2=_triple(offset_mg * MILLI_G),
            angular_velocity_offset_rad_s=_triple(np.radians(offset_dps)),
            angular_velocity_drift_rad_s=_triple(np.radians(rng.normal(0, 0.1, 3))),
            acceleration_scale=_triple(1 + np.clip(rng.normal(0, 0.007, 3), -0.03, 0.03)),
            angular_velocity_scale=_triple(1 + np.clip(rng.normal(0, 0.007, 3), -0.03, 0.03)),
            acceleration_range_m_s2=acceleration_range,
            angular_velocity_range_rad_s=turn_rate_range,
            acceleration_step_m_s2=acceleration_range / 2**15,
            angular_velocity_step_rad_s=turn_rate_range / 2**15,
            wobble_hz=float(rng.uniform(8, 15)),
            wobble_damping=float(rng.uniform(0.15, 0.5)),
            wobble_coupling=float(rng.uniform(0.0, 0.5)),
            wobble_tilt_rad_m=float(rng.uniform(-6, 6)),
            belt_follow=float(np.clip(rng.normal(0, 0.025), -0.07, 0.07)),
            slip_rad=float(np.radians(min(rng.exponential(0.7), 3.0))),
            clock_drift_ppm=float(rng.normal(0, 30)),
            time_jitter_s=float(rng.choice([0.0, 0.0, 0.0002, 0.001])),
            lost_packet_probability=float(rng.choice([0.0, 0.0, 0.0, 0.002, 0.01])),
            packet_rows=int(rng.integers(1, 20)),
        )


_PLACE_NAMES: tuple[Place, ...] = ("back", "left", "right", "front")


def _triple(values: Array) -> Triple:
    """Return three plain numbers."""
    return float(values[0]), float(values[1]), float(values[2])


def _random_turn(rng: np.random.Generator) -> Triple:
    """Draw the turn in the holder: mostly one of the 24 square ones and a little askew, else any."""
    if rng.random() < 0.3:
        return _triple(Rotation.random(rng=rng).as_rotvec())
    square = Rotation.create_group("O")[int(rng.integers(24))]
    return _triple((Rotation.from_rotvec(rng.normal(0, 0.1, 3)) * square).as_rotvec())


# --- motion of the sensor, and its rows ------------------------------------------------------------------------------

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
