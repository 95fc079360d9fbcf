"""The exercises: what each variant looks like, and how a lifter carries out a set of it.

Ranges of pelvis tilt, hip drop and tempo are those of DESIGN.md ("Geometry for simulation"); hip drops are for a body
of 1.75 m and scale with height. In the sets here the lifter stands up fully after each repetition; `continuous_sets`
has those without, and uses what stands at the end: a repetition that fails, and the weight that is put back. The true
figures of a repetition are measured afterwards, in `truth`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from imu.virtual.person.lifter import Gait, Performer, Span, go
from imu.virtual.person.script import STEADY, Channel, smooth_step

Pattern = Literal["squat", "hinge"]


def _deg(low: float, high: float) -> Span:
    """Return a span given in degrees, in rad."""
    return float(np.radians(low)), float(np.radians(high))


USUAL_SPINE_RAD = _deg(5, 20)


@dataclass(frozen=True, slots=True)
class Variant:
    """The usual ranges of one exercise; durations in s, angles in rad, lengths in m."""

    pattern: Pattern
    tilt_rad: Span
    hip_drop_m: Span
    eccentric_s: Span
    pause_s: Span
    concentric_s: Span
    top_pause_s: Span = (0.0, 1.5)
    wink_rad: Span = (0.0, 0.0)
    """How far the pelvis rolls back at the bottom of a squat."""
    spine_rad: Span = USUAL_SPINE_RAD
    """Bend of the spine: how much further than the pelvis the upper body goes."""
    abduction_rad: float = 0.0
    """Stance wider than the lifter's usual one."""
    counterweight_m: float = 0.0
    """How far a load held in front lets the rest of the body sit back."""
    legs_wait: Span = (0.0, 0.0)
    """Share of the descent that passes before the knees bend (a bar has to pass them)."""
    effort: Span = (0.0, 0.5)
    floor_contact: bool = False
    ballistic: bool = False

    @property
    def lifts_from_floor(self) -> bool:
        """Whether the weight may stand on the floor before and after the set."""
        return self.pattern == "hinge" and (self.floor_contact or self.ballistic)


VARIANTS: dict[str, Variant] = {
    "air_squat": Variant("squat", _deg(10, 45), (0.30, 0.50), (0.8, 1.9), (0, 0.3), (0.8, 1.7), wink_rad=_deg(5, 20)),
    "upright_squat": Variant(
        "squat",
        _deg(4, 15),
        (0.30, 0.50),
        (1.0, 2.0),
        (0, 0.6),
        (0.8, 1.6),
        wink_rad=_deg(2, 10),
        spine_rad=_deg(2, 12),
        abduction_rad=0.3,
        counterweight_m=-0.05,
    ),
    "back_squat": Variant(
        "squat",
        _deg(15, 45),
        (0.30, 0.55),
        (1.2, 2.3),
        (0, 0.3),
        (1.0, 2.3),
        (0.2, 2.5),
        _deg(5, 20),
        effort=(0.4, 1.0),
    ),
    "low_bar_squat": Variant(
        "squat",
        _deg(32, 52),
        (0.30, 0.48),
        (1.2, 2.3),
        (0, 0.3),
        (1.0, 2.3),
        (0.2, 2.5),
        _deg(3, 12),
        effort=(0.4, 1.0),
    ),
    "paused_squat": Variant(
        "squat", _deg(10, 42), (0.30, 0.52), (1.0, 2.0), (1.0, 4.0), (0.8, 1.8), wink_rad=_deg(5, 20), effort=(0.1, 0.8)
    ),
    "tempo_squat": Variant("squat", _deg(10, 42), (0.28, 0.50), (3.0, 5.0), (0, 2.0), (1.0, 3.0), wink_rad=_deg(4, 18)),
    "half_squat": Variant("squat", _deg(8, 30), (0.18, 0.30), (0.8, 1.7), (0, 0.3), (0.7, 1.5), wink_rad=_deg(0, 8)),
    "quarter_squat": Variant("squat", _deg(5, 20), (0.11, 0.15), (0.6, 1.3), (0, 0.3), (0.6, 1.2)),
    "sumo_squat": Variant(
        "squat", _deg(5, 25), (0.25, 0.45), (0.9, 2.0), (0, 0.5), (0.8, 1.6), wink_rad=_deg(0, 10), abduction_rad=0.5
    ),
    "box_squat": Variant(
        "squat",
        _deg(20, 45),
        (0.35, 0.46),
        (1.0, 2.2),
        (0.2, 1.2),
        (0.8, 1.6),
        wink_rad=_deg(5, 25),
        floor_contact=True,
    ),
    "careful_squat": Variant(
        "squat",
        _deg(15, 50),
        (0.14, 0.38),
        (1.3, 3.0),
        (0, 1.0),
        (1.0, 2.5),
        wink_rad=_deg(0, 10),
        spine_rad=_deg(10, 35),
    ),
    "romanian_deadlift": Variant(
        "hinge", _deg(45, 75), (0.01, 0.06), (1.2, 2.5), (0, 0.4), (0.9, 1.8), effort=(0, 0.8)
    ),
    "good_morning": Variant("hinge", _deg(45, 70), (0.005, 0.04), (1.3, 2.5), (0, 0.4), (1.0, 1.8), effort=(0, 0.7)),
    "deadlift": Variant(
        "hinge",
        _deg(50, 75),
        (0.15, 0.25),
        (0.9, 2.0),
        (0.1, 1.2),
        (0.9, 2.2),
        (0.2, 1.5),
        spine_rad=_deg(8, 25),
        legs_wait=(0.1, 0.4),
        effort=(0.3, 1.0),
        floor_contact=True,
    ),
    "kettlebell_deadlift": Variant(
        "hinge", _deg(42, 70), (0.06, 0.15), (0.8, 1.8), (0, 0.5), (0.7, 1.5), legs_wait=(0.0, 0.3), floor_contact=True
    ),
    "kettlebell_swing": Variant(
        "hinge",
        _deg(40, 70),
        (0.05, 0.10),
        (0.5, 0.65),
        (0, 0),
        (0.58, 0.75),
        (0, 0),
        spine_rad=_deg(5, 15),
        ballistic=True,
    ),
    "tempo_hinge": Variant("hinge", _deg(45, 70), (0.01, 0.06), (3.0, 4.5), (0, 2.0), (2.0, 3.0)),
    "stoop_bend": Variant("hinge", _deg(40, 75), (0.0, 0.02), (1.0, 2.5), (0, 0.8), (0.9, 2.0), spine_rad=_deg(25, 50)),
    "hip_hinge_drill": Variant("hinge", _deg(30, 45), (0.01, 0.05), (0.9, 2.3), (0, 0.8), (0.8, 1.8)),
    "careful_hinge": Variant(
        "hinge", _deg(32, 60), (0.02, 0.10), (1.5, 3.2), (0, 1.0), (1.3, 2.8), spine_rad=_deg(10, 40)
    ),
}


# --- one repetition --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Posture:
    """A posture at the top of a repetition; the default is quiet standing."""

    pelvis_rad: float = 0.0
    trunk_rad: float = 0.0
    thigh_rad: float = 0.0


@dataclass(frozen=True, slots=True)
class Repetition:
    """The plan of one repetition."""

    tilt_rad: float
    hip_drop_m: float
    eccentric_s: float
    pause_s: float
    concentric_s: float
    top_pause_s: float
    wink_rad: float
    spine_rad: float
    legs_wait: float
    effort: float
    rebound: float
    """Share of the shorter way by which the ascent begins before the descent has ended; 0 with a pause."""
    top: Posture | None = None
    """Posture in which the repetition ends; None: standing but for the lifter's lockout gap."""
    steady: bool = False
    """The hip moves at constant speed."""
    grinds: bool = False
    """The ascent comes nearly to a halt half-way and recovers."""
    pelvis_early: float = 0.0
    """Share of the descent by which the pelvis tilts before the repetition starts, out of the ascent before it."""
    pelvis_late: float = 0.0
    """Share of the ascent by which the pelvis still comes up when the legs are done."""
    together: bool = False
    """The pelvis moves over the same time as the legs, and alike."""
    shift_m: float = 0.0
    """Shift of the centre of mass at the bottom, m, forward positive."""


def usual_repetition(performer: Performer, variant: Variant) -> Repetition:
    """Draw the usual repetition of this lifter in this set."""
    lifter = performer.lifter
    tilt = performer.habitual(variant.tilt_rad, lifter.lean)
    wink = min(performer.uniform(variant.wink_rad), 0.85 * tilt)
    tempo = 1.0 if variant.ballistic else lifter.tempo
    rebounds = variant.pause_s[0] < 0.05 and performer.chance(0.6)
    return Repetition(
        tilt_rad=tilt,
        hip_drop_m=performer.scaled(performer.habitual(variant.hip_drop_m, lifter.depth)),
        eccentric_s=performer.uniform(variant.eccentric_s) * tempo,
        pause_s=0.0 if rebounds else performer.uniform(variant.pause_s),
        concentric_s=performer.uniform(variant.concentric_s) * tempo,
        top_pause_s=performer.uniform(variant.top_pause_s) * float(performer.chance(0.8)),
        wink_rad=wink,
        spine_rad=performer.uniform(variant.spine_rad),
        legs_wait=performer.uniform(variant.legs_wait),
        effort=performer.uniform(variant.effort),
        rebound=performer.uniform((0.05, 0.45)) if rebounds else 0.0,
    )


def varied_repetition(performer: Performer, usual: Repetition, progress: float) -> Repetition:
    """Return one repetition of a set; `progress` runs from 0 to 1 over the set and brings the fatigue."""
    slower = 1.0 + performer.lifter.fatigue * usual.effort * progress**2
    return Repetition(
        tilt_rad=performer.varied(usual.tilt_rad),
        hip_drop_m=performer.varied(usual.hip_drop_m, 0.8),
        eccentric_s=performer.varied(usual.eccentric_s, 1.5),
        pause_s=performer.varied(usual.pause_s, 3.0),
        concentric_s=performer.varied(usual.concentric_s * slower, 1.5),
        top_pause_s=performer.varied(usual.top_pause_s, 4.0),
        wink_rad=performer.varied(usual.wink_rad, 2.0),
        spine_rad=performer.varied(usual.spine_rad, 2.0),
        legs_wait=usual.legs_wait,
        effort=min(1.0, usual.effort * (0.8 + 0.3 * progress)),
        rebound=usual.rebound if usual.pause_s == 0.0 else 0.0,
        together=usual.together,
        shift_m=usual.shift_m,
    )


def perform_repetition(performer: Performer, variant: Variant, repetition: Repetition) -> tuple[float, float]:
    """Write one repetition into the script; return when it starts and ends, s, body time."""
    script, lifter, start = performer.script, performer.lifter, performer.script.now_s
    down, up = repetition.eccentric_s, repetition.concentric_s
    overlap = repetition.rebound * min(down, up)
    turn = start + down + repetition.pause_s - overlap
    cut_short = smooth_step(np.array([0.5 * overlap / down, 0.5 * overlap / up])).sum()
    repetition = replace(
        repetition,
        tilt_rad=repetition.tilt_rad * (1.0 + (0.7 * cut_short if variant.pattern == "hinge" else 0.0)),
        hip_drop_m=repetition.hip_drop_m * (1.0 + cut_short),
    )
    end = turn + up
    descend(performer, variant, repetition, start)
    _ascend(performer, repetition, turn)
    performer.excursion("roll", start, end - start, performer.varied(lifter.asymmetry_rad, 4.0))
    performer.excursion("twist", start, end - start, performer.varied(lifter.twist_rad, 4.0))
    script.move("strain", start, down, repetition.effort)
    script.move("strain", turn + 0.5 * up, 0.5 * up, -repetition.effort)
    if variant.floor_contact:
        touch = start + 0.97 * down
        script.bump("height", touch, 0.03, -performer.uniform((0.2, 2.0)) * 0.03**2 / 6)
    script.now_s = end
    return start, end


def descend(performer: Performer, variant: Variant, repetition: Repetition, start_s: float) -> None:
    """Write the way down: pelvis forward, legs bend, and in a squat the pelvis rolls back near the bottom."""
    script, down = performer.script, repetition.eccentric_s
    lead = performer.lifter.hips_first + 0.03 * performer.rng.standard_normal()
    lead = 0.0 if repetition.together else lead
    legs_start = max(lead, 0.0) + repetition.legs_wait
    pelvis_start = max(-lead, 0.0) - repetition.pelvis_early
    profile = STEADY if repetition.steady else performer.profile()
    trunk = repetition.tilt_rad + repetition.spine_rad
    if repetition.shift_m:
        script.move("balance", start_s, down, repetition.shift_m)
    thigh = performer.thigh(repetition.hip_drop_m, trunk)
    peak_at = performer.uniform((0.65, 0.92)) if variant.pattern == "squat" else performer.uniform((0.92, 1.0))
    peak_at = 1.0 if repetition.together else peak_at
    script.move_to("thigh", start_s + legs_start * down, (1 - legs_start) * down, thigh, profile)
    script.move_to("trunk", start_s + pelvis_start * down, (1 - pelvis_start) * down, trunk, profile)
    pelvis_s = start_s + pelvis_start * down
    script.move_to("pelvis", pelvis_s, (peak_at - pelvis_start) * down, repetition.tilt_rad, profile)
    if repetition.wink_rad > 0.0:
        begin = peak_at - performer.uniform((0.05, 0.25))
        script.move("pelvis", start_s + begin * down, (1.0 - begin) * down, -repetition.wink_rad)


def _ascend(performer: Performer, repetition: Repetition, turn_s: float) -> None:
    """Write the way up; a squat's pelvis may lean forward again before it comes up."""
    script, up = performer.script, repetition.concentric_s
    if repetition.grinds:
        profile = performer.grinding_profile()
        performer.excursion("pelvis", turn_s + 0.1 * up, 0.8 * up, repetition.wink_rad * performer.uniform((0.2, 1.2)))
    else:
        profile = STEADY if repetition.steady else performer.profile(repetition.effort)
    legs_end = 1.0 - 0.6 * repetition.legs_wait
    level = script.level
    if repetition.top is None:
        left = performer.lifter.lockout_gap
        script.move("thigh", turn_s, legs_end * up, -(1 - left) * level["thigh"], profile)
        script.move("trunk", turn_s, up, -(1 - left) * level["trunk"], profile)
        pelvis_top = left * repetition.tilt_rad
    else:
        script.move_to("thigh", turn_s, legs_end * up, repetition.top.thigh_rad, profile)
        script.move_to("trunk", turn_s, up, repetition.top.trunk_rad, profile)
        pelvis_top = repetition.top.pelvis_rad
    delay = 0.0
    if repetition.wink_rad > 0.0:
        again = repetition.wink_rad * performer.uniform((0.2, 1.0 + 0.5 * repetition.effort))
        script.move("pelvis", turn_s, performer.uniform((0.35, 0.55)) * up, again)
        delay = performer.uniform((0.05, 0.35))
    pelvis_s = (1 - delay + repetition.pelvis_late) * up
    script.move_to("pelvis", turn_s + delay * up, pelvis_s, pelvis_top, profile)
    if repetition.shift_m:
        script.move("balance", turn_s, up, -repetition.shift_m)


def perform_swings(
    performer: Performer,
    usual: Repetition,
    repetitions: int,
    *,
    residual_lean_rad: float = 0.0,
    from_floor: bool = False,
) -> list[tuple[float, float]]:
    """Write a set of kettlebell swings, which flow into each other; return the spans of the repetitions, s.

    `from_floor`: the first one starts with a bend to the bell and its hike between the legs.
    """
    script, spans = performer.script, []
    lean_back, float_share = performer.uniform((-0.17, -0.07)), performer.uniform((0.0, 0.12))
    for index in range(repetitions):
        repetition = varied_repetition(performer, usual, index / repetitions)
        start, down, up = script.now_s, repetition.eccentric_s, repetition.concentric_s
        trunk = repetition.tilt_rad + repetition.spine_rad
        thigh, delay = performer.thigh(repetition.hip_drop_m, trunk), performer.uniform((0.0, 0.12))
        last = index == repetitions - 1
        top_pitch = 0.0 if last else lean_back + residual_lean_rad
        ways: dict[Channel, tuple[float, float]] = {
            "pelvis": (repetition.tilt_rad, top_pitch),
            "trunk": (trunk, top_pitch),
            "thigh": (thigh, 0.0),
        }
        hike_s = _hike(performer, repetition, Posture(repetition.tilt_rad, trunk, thigh)) if from_floor else 0.0
        from_floor = False
        for channel, (bottom, top) in ways.items():
            wait = delay * down if channel == "thigh" else 0.0
            script.move_to(channel, start + hike_s + wait, down - wait, bottom)
            script.move_to(channel, start + hike_s + 0.85 * down, (1.0 - float_share) * up, top)
        performer.excursion("roll", start, down + up, performer.varied(performer.lifter.asymmetry_rad, 4.0))
        script.now_s = start + hike_s + 0.85 * down + up
        spans.append((start, script.now_s))
    return spans


def _hike(performer: Performer, repetition: Repetition, bottom: Posture) -> float:
    """Bend to a bell on the floor and hold it; return the time that passes before it is hiked back, s."""
    script, start = performer.script, performer.script.now_s
    bend_s, share = performer.seconds((0.9, 1.8)), performer.uniform((0.75, 0.95))
    thigh = performer.thigh(repetition.hip_drop_m * performer.uniform((1.2, 2.5)), bottom.trunk_rad)
    script.move_to("pelvis", start, bend_s, share * bottom.pelvis_rad)
    script.move_to("trunk", start, bend_s, bottom.trunk_rad)
    script.move_to("thigh", start, bend_s, thigh)
    return bend_s + performer.uniform((0.3, 2.5))


def take_stance(performer: Performer, variant: Variant) -> None:
    """Take the stance of the exercise, where it is not the usual one."""
    start = performer.script.now_s
    if variant.abduction_rad or variant.counterweight_m:
        performer.script.move_to("abduction", start, 0.8, variant.abduction_rad)
        performer.script.move_to("balance", start, 0.8, variant.counterweight_m)
        performer.wait(0.8)


def finish_lockout(performer: Performer) -> None:
    """Stand up fully after a set."""
    start = performer.script.now_s
    channels: tuple[Channel, ...] = ("thigh", "trunk", "pelvis", "balance", "abduction")
    for channel in channels:
        performer.script.move_to(channel, start, 0.6, 0.0)
    performer.wait(0.6)


def perform_set(
    performer: Performer, variant: Variant, repetitions: int, usual: Repetition
) -> list[tuple[float, float]]:
    """Write a set; return the spans of the repetitions, s, body time."""
    take_stance(performer, variant)
    if variant.ballistic:
        spans = perform_swings(performer, usual, repetitions)
    else:
        spans = []
        for index in range(repetitions):
            repetition = varied_repetition(performer, usual, index / max(repetitions - 1, 1))
            spans.append(perform_repetition(performer, variant, repetition))
            performer.wait(repetition.top_pause_s if index < repetitions - 1 else 0.0)
    finish_lockout(performer)
    return spans


# --- what follows the last repetition --------------------------------------------------------------------------------

Failure = Literal["sinks", "dumped", "walked_out"]
"""How a repetition fails: it sinks again, the weight is let go, or the lifter gets stuck and walks out of it."""

LIMBS: tuple[Channel, ...] = ("thigh", "trunk", "pelvis")


def let_go(performer: Performer, variant: Variant, repetition: Repetition) -> Span:
    """Put the weight back on the floor, let go, and stand up empty-handed; return the body times, s.

    With a bell that swings, the way down is that of one more swing.
    """
    script, start = performer.script, performer.script.now_s
    down = repetition.eccentric_s * (1.0 if variant.ballistic else performer.uniform((0.6, 1.1)))
    descend(performer, variant, replace(repetition, eccentric_s=down, pelvis_early=0.0), start)
    _knock(performer, start + 0.97 * down, 6.0)
    performer.wait(down + performer.uniform((0.2, 1.5)))
    _rise(performer, performer.seconds((0.8, 1.8)))
    return start, script.now_s


def fail_repetition(performer: Performer, variant: Variant, repetition: Repetition, failure: Failure) -> Span:
    """Go down, rise a little and get stuck; return the body times until the lifter stands again, s.

    ``sinks``: down again onto pins or the floor, a rest, and up without the weight. ``dumped``: the weight is let go
    while stuck, and the lifter comes up quickly with a step. ``walked_out``: the lifter comes up slowly in small steps.
    """
    script, start = performer.script, performer.script.now_s
    descend(performer, variant, repetition, start)
    script.move("strain", start, repetition.eccentric_s, 1.0)
    performer.wait(repetition.eccentric_s + performer.uniform((0.0, 0.5)))
    bottom = {channel: script.level[channel] for channel in LIMBS}
    reached = performer.uniform((0.35, 0.7) if failure == "walked_out" else (0.05, 0.5))
    _move_to_share(performer, bottom, 1.0 - reached, performer.uniform((0.7, 2.0)))
    performer.wait(performer.uniform((0.2, 1.8)))
    script.move("strain", script.now_s, 0.5, -1.0)
    if failure == "sinks":
        sink_s = performer.uniform((0.5, 1.6))
        _knock(performer, script.now_s + 0.97 * sink_s, 8.0)
        _move_to_share(performer, bottom, performer.uniform((0.95, 1.05)), sink_s)
        performer.wait(performer.uniform((0.3, 4.0)))
        _rise(performer, performer.seconds((0.9, 1.8)))
    elif failure == "dumped":
        _knock(performer, script.now_s + performer.uniform((0.2, 0.5)), 12.0)
        _rise(performer, performer.uniform((0.5, 1.0)))
    else:
        rise_s = performer.uniform((1.5, 3.0))
        _rise(performer, rise_s)
        script.now_s -= rise_s
    if failure != "sinks" or performer.chance(0.5):
        stride_hz, speed = performer.uniform((0.5, 1.0)), performer.uniform((-0.3, 0.5))
        gait = Gait(stride_hz, speed, 0.012, performer.uniform((1.0, 4.0)), pelvis_lean_rad=0.02)
        go(performer, gait, performer.uniform((1.5, 3.0)) if failure != "walked_out" else rise_s + 0.5)
    return start, script.now_s


def _rise(performer: Performer, duration_s: float) -> None:
    """Stand up from where the lifter is."""
    start, profile = performer.script.now_s, performer.profile()
    for channel in LIMBS:
        performer.script.move_to(channel, start, duration_s, 0.0, profile)
    performer.wait(duration_s)


def _move_to_share(performer: Performer, bottom: dict[Channel, float], share: float, duration_s: float) -> None:
    """Move to a share of the posture at the bottom."""
    for channel, level in bottom.items():
        performer.script.move_to(channel, performer.script.now_s, duration_s, share * level)
    performer.wait(duration_s)


def _knock(performer: Performer, time_s: float, largest_m_s2: float) -> None:
    """Add the knock of a weight that touches down."""
    performer.script.bump("height", time_s, 0.03, -performer.uniform((0.3, largest_m_s2)) * 0.03**2 / 6)
