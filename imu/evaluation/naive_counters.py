"""The naive script that ours has to beat: what a competent user would write in an afternoon.

Tilt away from the posture of the first second, from VQF, smoothed; a repetition is a peak of it; above 45° it is a
hinge. It needs the whole recording, assumes that the person stands still at its start, and knows nothing of the hip's
height. Smoothing, prominence and longest duration are the best of 24 combinations over simulated sessions and five
people of SisFall, so that ours is not compared with a straw man.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, find_peaks, peak_widths, sosfiltfilt
from vqf import VQF

from imu.evaluation.counters import Counted, CountedSets
from imu.samples import Array, ImuBlock

SMOOTHED_BELOW_HZ = 1.5
PEAK_PROMINENCE_RAD = np.radians(20.0)
PEAK_DISTANCE_S = 1.0
PEAK_FOOT = 0.9
"""A repetition starts and ends where the tilt has fallen by this share of the peak's prominence."""
LONGEST_S = 10.0
LEAST_HINGE_RAD = np.radians(45.0)
REST_BETWEEN_SETS_S = 12.0
LEAST_RECORDING_S = 2.0


def count_naively(block: ImuBlock, least_repetitions: int) -> CountedSets:
    """Return the sets that the naive script finds in a whole recording."""
    time = block.device_time_s
    duration_s = float(time[-1] - time[0])
    if duration_s < LEAST_RECORDING_S:
        return CountedSets(duration_s, ())
    step_s = float(np.median(np.diff(time)))
    tilt = _tilt_rad(block, step_s)
    peaks, _ = find_peaks(tilt, prominence=PEAK_PROMINENCE_RAD, distance=max(1, round(PEAK_DISTANCE_S / step_s)))
    _, _, starts, ends = peak_widths(tilt, peaks, rel_height=PEAK_FOOT)
    sets: list[list[Counted]] = []
    for peak, start, end in zip(peaks, starts, ends, strict=True):
        repetition = Counted(
            start_s=float(time[int(start)]),
            bottom_s=float(time[peak]),
            end_s=float(time[int(end)]),
            pattern="hinge" if tilt[peak] > LEAST_HINGE_RAD else "squat",
            trunk_angle_rad=float(tilt[peak]),
        )
        if repetition.end_s - repetition.start_s > LONGEST_S:
            continue
        if not sets or repetition.start_s - sets[-1][-1].end_s > REST_BETWEEN_SETS_S:
            sets.append([])
        sets[-1].append(repetition)
    return CountedSets(duration_s, tuple(tuple(one) for one in sets if len(one) >= least_repetitions))


def _tilt_rad(block: ImuBlock, step_s: float) -> Array:
    """Return the angle (n,) between the vertical now and in the first second, seen from the sensor."""
    gyroscope = np.ascontiguousarray(np.nan_to_num(block.angular_velocity_rad_s))
    accelerometer = np.ascontiguousarray(np.nan_to_num(block.acceleration_m_s2))
    w, x, y, z = VQF(step_s).updateBatch(gyroscope, accelerometer)["quat6D"].T
    up = np.column_stack((2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)))
    standing = up[: round(1.0 / step_s)].mean(axis=0)
    tilt = np.arccos(np.clip(up @ (standing / np.linalg.norm(standing)), -1.0, 1.0))
    smooth: Array = sosfiltfilt(butter(2, SMOOTHED_BELOW_HZ, fs=1.0 / step_s, output="sos"), tilt)
    return smooth
