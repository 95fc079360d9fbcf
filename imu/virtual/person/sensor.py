"""The simulated sensor: where it sits on the pelvis, and everything that is wrong with what it reports.

Knows the motion of the pelvis, not what the movement is. Ranges: DESIGN.md ("Sensors") and notes/PRODUCT.md section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from imu.samples import STANDARD_GRAVITY_M_S2, Array

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
    """A sensor and how it is worn; the default is without any error.

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
    """What the offset gains as the chip warms up, with a time constant of five minutes."""
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
        """Check what would not make sense."""
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
        """Return a sensor without any error."""
        return cls(place=place, sampling_rate_hz=sampling_rate_hz)

    @classmethod
    def random(cls, rng: np.random.Generator) -> Sensor:
        """Draw a sensor and the way it is worn; small errors are far commoner than large ones."""
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
    """Draw how a sensor is worn: mostly square to the body in one of 24 ways and a little askew, else any turn."""
    if rng.random() < 0.3:
        return _triple(Rotation.random(rng=rng).as_rotvec())
    square = Rotation.create_group("O")[int(rng.integers(24))]
    return _triple((Rotation.from_rotvec(rng.normal(0, 0.1, 3)) * square).as_rotvec())
