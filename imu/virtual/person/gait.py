"""Moving on foot: walking, jogging, stairs, a jump.

A gait is a set of waves on one common, slightly wandering cycle (vertical bounce, sideways sway, turn and tilt of the
pelvis) with an impact transient at each heel strike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imu.samples import STANDARD_GRAVITY_M_S2
from imu.virtual.person.lifter import Performer
from imu.virtual.person.script import Channel, Cycle

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


def walking(performer: Performer, duration_s: float | None) -> None:
    """Walk, mostly with a turn."""
    turn = performer.side() * performer.uniform((0.3, 3.1)) if performer.chance(0.7) else 0.0
    go(performer, usual_walk(performer), performer.length(duration_s, 3, 20), turn)


def few_steps(performer: Performer, duration_s: float | None) -> None:
    """Take two to five steps, forward, backward or turning on the spot."""
    walk = usual_walk(performer)
    speed = walk.speed_m_s * performer.uniform((-0.4, 0.6))
    gait = Gait(0.9 * walk.stride_hz, speed, 0.6 * walk.bounce_m, 0.7 * walk.heel_strike_m_s2)
    go(performer, gait, performer.length(duration_s, 1.2, 3), performer.side() * performer.uniform((0.0, 1.6)))


def jogging(performer: Performer, duration_s: float | None) -> None:
    """Jog or run: 2.4-3 steps per second with hard landings."""
    gait = Gait(
        stride_hz=performer.uniform((1.2, 1.5)),
        speed_m_s=performer.uniform((1.8, 3.5)),
        bounce_m=performer.uniform((0.028, 0.045)),
        heel_strike_m_s2=performer.uniform((8, 35)),
        pelvis_lean_rad=performer.uniform((0.05, 0.2)),
        swing_rad=performer.uniform((0.08, 0.20)),
    )
    go(performer, gait, performer.length(duration_s, 4, 15), performer.side() * performer.uniform((0.0, 2.5)))


def _stairs(performer: Performer, duration_s: float | None, direction: float) -> None:
    """Climb stairs up (1) or down (-1), a step of 15-19 cm with each stride half."""
    walk = usual_walk(performer)
    gait = Gait(
        stride_hz=performer.uniform((0.75, 1.0)),
        speed_m_s=performer.uniform((0.4, 0.6)),
        bounce_m=0.6 * walk.bounce_m,
        heel_strike_m_s2=walk.heel_strike_m_s2 * (1.6 if direction < 0 else 0.8),
        rise_per_step_m=direction * performer.uniform((0.15, 0.19)),
        pelvis_lean_rad=performer.uniform((0.05, 0.25)) if direction > 0 else performer.uniform((-0.05, 0.08)),
        swing_rad=1.3 * walk.swing_rad,
    )
    go(performer, gait, performer.length(duration_s, 4, 12))


def stairs_up(performer: Performer, duration_s: float | None) -> None:
    """Climb stairs."""
    _stairs(performer, duration_s, 1.0)


def stairs_down(performer: Performer, duration_s: float | None) -> None:
    """Descend stairs."""
    _stairs(performer, duration_s, -1.0)


def jump(performer: Performer, _duration_s: float | None) -> None:
    """Jump once: dip, push-off, free flight, landing."""
    _jump(performer, performer.uniform((0.25, 0.5)), performer.uniform((0.12, 0.35)))


def jumps_in_a_row(performer: Performer, duration_s: float | None) -> None:
    """Jump several times: out of a squat with a stand in between, or in quick hops."""
    end = performer.script.now_s + performer.length(duration_s, 2, 12)
    hops, pause_s = performer.chance(0.5), performer.uniform((0.0, 1.5)) * float(performer.chance(0.6))
    flight_s, dip = performer.uniform((0.15, 0.35) if hops else (0.25, 0.5)), performer.uniform((0.12, 0.42))
    while performer.script.now_s < end:
        if hops:
            _hop(performer, performer.varied(flight_s, 2.0))
        else:
            _jump(performer, performer.varied(flight_s, 2.0), performer.varied(dip, 2.0))
            performer.wait(performer.varied(pause_s, 3.0))


def _hop(performer: Performer, flight_s: float) -> None:
    """Hop once on springy legs, from standing to standing."""
    script, start, g = performer.script, performer.script.now_s, STANDARD_GRAVITY_M_S2
    take_off, dip = 0.5 * g * flight_s, performer.uniform((0.04, 0.1))
    dip_s, push_s = performer.uniform((0.2, 0.3)), 2.6 * dip / take_off
    times = np.cumsum([start, dip_s, push_s, flight_s, push_s, dip_s])
    still, low = (0.0, 0.0, 0.0), (-dip, 0.0, 0.0)
    states = [still, low, (0.0, take_off, -g), (0.0, -take_off, -g), low, still]
    for index in range(5):
        script.arc("height", times[index], times[index + 1] - times[index], states[index], states[index + 1])
    script.bump("height", times[3] + 0.03, 0.03, -performer.uniform((3, 20)) * 0.03**2 / 6)
    script.now_s = float(times[5])


def _jump(performer: Performer, flight_s: float, dip: float) -> None:
    """Jump once, with a flight of `flight_s` out of a dip, m."""
    script, start, g = performer.script, performer.script.now_s, STANDARD_GRAVITY_M_S2
    take_off, landing = 0.5 * g * flight_s, performer.uniform((0.08, 0.3))
    push_s, land_s = 2.6 * dip / take_off, 2.6 * landing / take_off
    dip_s, recovery_s = performer.uniform((0.35, 0.7)), performer.uniform((0.5, 1.0))
    times = np.cumsum([start, dip_s, push_s, flight_s, land_s, recovery_s])
    still = (0.0, 0.0, 0.0)
    states = [still, (-dip, 0.0, 0.0), (0.0, take_off, -g), (0.0, -take_off, -g), (-landing, 0.0, 0.0), still]
    for index in range(5):
        script.arc("height", times[index], times[index + 1] - times[index], states[index], states[index + 1])
    lean = performer.uniform((0.15, 0.7))
    script.move("pelvis", start, times[1] - start, lean)
    script.move("pelvis", times[1], push_s, -1.1 * lean)
    script.move("pelvis", times[3], land_s, 0.8 * lean)
    script.move("pelvis", times[4], times[5] - times[4], -0.7 * lean)
    script.bump("height", times[3] + 0.03, 0.03, -performer.uniform((8, 40)) * 0.03**2 / 6)
    script.now_s = float(times[5])
