"""Daily movements, which are not repetitions: on foot, chairs, floors, cars, shoes, weights, quiet pastimes.

Each function writes one movement into the script, from standing back to standing. `duration_s` is that of the
long part; None draws one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from imu.samples import STANDARD_GRAVITY_M_S2, Array
from imu.virtual.person.lifter import Gait, Performer, go, usual_walk
from imu.virtual.person.script import Cycle


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
    _fly(performer, times, dip, take_off, dip)
    script.bump("height", times[3] + 0.03, 0.03, -performer.uniform((3, 20)) * 0.03**2 / 6)
    script.now_s = float(times[5])


def _fly(performer: Performer, times: Array, dip: float, take_off_m_s: float, landing: float) -> None:
    """Move the hip at `times`, (6,): down by `dip`, off the ground, onto it, down by `landing`, and up again."""
    still, g = (0.0, 0.0, 0.0), STANDARD_GRAVITY_M_S2
    air = (0.0, take_off_m_s, -g), (0.0, -take_off_m_s, -g)
    states = [still, (-dip, 0.0, 0.0), *air, (-landing, 0.0, 0.0), still]
    for start, end, before, after in zip(times[:-1], times[1:], states[:-1], states[1:], strict=True):
        performer.script.arc("height", start, end - start, before, after)


def _jump(performer: Performer, flight_s: float, dip: float) -> None:
    """Jump once, with a flight of `flight_s` out of a dip, m."""
    script, start, g = performer.script, performer.script.now_s, STANDARD_GRAVITY_M_S2
    take_off, landing = 0.5 * g * flight_s, performer.uniform((0.08, 0.3))
    push_s, land_s = 2.6 * dip / take_off, 2.6 * landing / take_off
    dip_s, recovery_s = performer.uniform((0.35, 0.7)), performer.uniform((0.5, 1.0))
    times = np.cumsum([start, dip_s, push_s, flight_s, land_s, recovery_s])
    _fly(performer, times, dip, take_off, landing)
    lean = performer.uniform((0.15, 0.7))
    script.move("pelvis", start, times[1] - start, lean)
    script.move("pelvis", times[1], push_s, -1.1 * lean)
    script.move("pelvis", times[3], land_s, 0.8 * lean)
    script.move("pelvis", times[4], times[5] - times[4], -0.7 * lean)
    script.bump("height", times[3] + 0.03, 0.03, -performer.uniform((8, 40)) * 0.03**2 / 6)
    script.now_s = float(times[5])


# --- chairs, floors, cars, shoes, weights, quiet pastimes -------------------------------------------------------------


def _stand_up(performer: Performer, duration_s: float) -> None:
    """Return to quiet standing."""
    performer.script.move_to("balance", performer.script.now_s, 0.8 * duration_s, 0.0)
    performer.pose(duration_s, 0.0, 0.0, profile=performer.profile())


def _busy(performer: Performer, duration_s: float, fidget: float) -> None:
    """Hold the pose with more sway than usual: hands at work, looking around."""
    start, fade = performer.script.now_s, min(0.5, 0.3 * duration_s)
    performer.script.move("fidget", start, fade, fidget)
    performer.script.move("fidget", start + duration_s - fade, fade, -fidget)
    time, end = start + performer.uniform((0.2, 1.5)), start + duration_s
    while fidget and time < end - 1.5:  # settle into another pose now and then, and back at the end
        length, turn = performer.uniform((0.4, 1.2)), performer.uniform((-0.03, 0.03)) * fidget
        performer.script.move("pelvis", time, length, turn)
        performer.script.move("pelvis", end - 0.5, 0.5, -turn)
        time += length + performer.uniform((0.3, 4.0))
    performer.wait(duration_s)


def _sit_down(performer: Performer, seat_drop_m: float, seated_pitch_rad: float) -> None:
    """Sit down on something `seat_drop_m` below the standing hip; the pelvis ends rolled back."""
    script, start = performer.script, performer.script.now_s
    duration, lean = performer.seconds((0.9, 2.0)), performer.uniform((0.25, 0.75))
    thigh = performer.thigh(performer.scaled(seat_drop_m), lean)
    profile = performer.profile()
    script.move_to("thigh", start, duration, thigh, profile)
    script.move("balance", start + 0.3 * duration, 0.7 * duration, -performer.uniform((0.2, 0.32)))
    script.move_to("pelvis", start, 0.8 * duration, lean)
    script.move_to("trunk", start, 0.8 * duration, lean + 0.15)
    touch = start + 0.93 * duration
    script.bump("height", touch, 0.04, -performer.uniform((1, 10)) * 0.04**2 / 6)
    script.move("pelvis", touch, performer.seconds((0.5, 1.3)), seated_pitch_rad - lean)
    script.move_to("trunk", touch, 1.0, 0.0)
    performer.wait(duration + 0.9)


def _rise_from_seat(performer: Performer) -> None:
    """Lean forward, then stand up."""
    script, start = performer.script, performer.script.now_s
    lean_s, rise_s = performer.seconds((0.5, 0.9)), performer.seconds((0.8, 1.6))
    lean = performer.uniform((0.25, 0.75))
    script.move_to("pelvis", start, lean_s, lean)
    script.move_to("trunk", start, lean_s, lean + 0.2)
    script.move_to("balance", start + 0.3 * lean_s, lean_s + 0.2 * rise_s, 0.0)
    script.move_to("thigh", start + 0.75 * lean_s, 0.9 * rise_s, 0.0, performer.profile())
    script.move_to("trunk", start + 0.9 * lean_s, rise_s, 0.0)
    script.move_to("pelvis", start + 0.9 * lean_s, rise_s, 0.0)
    performer.wait(0.9 * lean_s + rise_s + 0.1)


def sit_down_and_stand_up(performer: Performer, duration_s: float | None) -> None:
    """Sit on a chair or bench for 3-20 s, with the pelvis rolled back past upright."""
    _sit_down(performer, performer.uniform((0.32, 0.5)), performer.uniform((-0.5, -0.05)))
    _busy(performer, performer.length(duration_s, 2, 20), performer.uniform((0.0, 3.0)))
    _rise_from_seat(performer)


def tie_shoe(performer: Performer, duration_s: float | None) -> None:
    """Crouch, or bend down with nearly straight legs, and fiddle for 3-8 s."""
    side, start, down = performer.side(), performer.script.now_s, performer.seconds((0.9, 1.8))
    performer.script.move("roll", start, down, side * performer.uniform((0.02, 0.2)))
    performer.script.move("twist", start, down, side * performer.uniform((0.0, 0.4)))
    if performer.chance(0.5):
        performer.pose(down, performer.uniform((0.2, 0.9)), performer.scaled(performer.uniform((0.45, 0.62))), 0.5)
    else:
        performer.pose(down, performer.uniform((0.8, 1.35)), performer.scaled(performer.uniform((0.02, 0.25))), 0.4)
    _busy(performer, performer.length(duration_s, 3, 8), performer.uniform((1.0, 5.0)))
    up = performer.seconds((0.8, 1.6))
    for channel in ("roll", "twist"):
        performer.script.move_to(channel, performer.script.now_s, up, 0.0)
    _stand_up(performer, up)


def _one_bend(performer: Performer, hold_s: float) -> None:
    """Bend or crouch to the floor once, askew, and come up."""
    start, down, up = performer.script.now_s, performer.seconds((0.8, 1.6)), performer.seconds((0.8, 1.8))
    if performer.chance(0.5):
        performer.pose(down, performer.uniform((0.7, 1.25)), performer.scaled(performer.uniform((0.02, 0.25))), 0.35)
    else:
        performer.pose(down, performer.uniform((0.3, 0.8)), performer.scaled(performer.uniform((0.3, 0.5))), 0.3)
    _busy(performer, hold_s, performer.uniform((0.5, 3.0)))
    _stand_up(performer, up)
    end, side = performer.script.now_s, performer.side()
    performer.excursion("roll", start, end - start, side * performer.uniform((0.02, 0.2)))
    performer.excursion("twist", start, end - start, side * performer.uniform((0.0, 0.4)))


def pick_up_weight(performer: Performer, duration_s: float | None) -> None:
    """Step to a weight, bend, take it, stand up."""
    few_steps(performer, None)
    _one_bend(performer, performer.length(duration_s, 0.3, 2.5))


def put_down_weight(performer: Performer, duration_s: float | None) -> None:
    """Bend with a weight, set it down with a knock, stand up, step away."""
    knock = performer.script.now_s + performer.uniform((0.9, 1.4))
    performer.script.bump("height", knock, 0.03, performer.uniform((0.5, 4.0)) * 0.03**2 / 6)
    _one_bend(performer, performer.length(duration_s, 0.2, 1.2))
    few_steps(performer, None)


def unrack_and_step_back(performer: Performer, duration_s: float | None) -> None:
    """Dip under the bar, stand up with it, take two or three steps back, settle."""
    performer.pose(performer.seconds((0.6, 1.2)), performer.uniform((0.05, 0.3)), performer.uniform((0.04, 0.14)), 0.1)
    _busy(performer, performer.uniform((0.3, 1.5)), 1.0)
    _stand_up(performer, performer.seconds((0.5, 1.0)))
    _busy(performer, performer.uniform((0.3, 1.0)), 1.0)
    gait = Gait(performer.uniform((0.5, 0.8)), -performer.uniform((0.2, 0.4)), 0.012, 2.0, pelvis_lean_rad=0.02)
    go(performer, gait, performer.length(duration_s, 1.5, 3.0))
    _busy(performer, performer.uniform((0.5, 1.5)), 1.5)


def fidgeting(performer: Performer, duration_s: float | None) -> None:
    """Stand about: shift the weight, look around, turn a little."""
    script, total = performer.script, performer.length(duration_s, 3, 12)
    end = script.now_s + total
    script.move("fidget", script.now_s, 0.4, 2.0)
    time = script.now_s + 0.3
    while time < end - 2.2:
        length = performer.uniform((0.6, 1.6))
        script.move_to("lateral", time, length, performer.uniform((-0.07, 0.07)))
        script.move_to("roll", time, length, performer.uniform((-0.09, 0.09)))
        script.move_to("twist", time, length, performer.uniform((-0.4, 0.4)))
        script.move_to("pelvis", time, length, performer.uniform((-0.08, 0.14)))
        time += length + performer.uniform((0.2, 2.0))
    for channel in ("lateral", "roll", "twist", "pelvis", "fidget"):
        script.move_to(channel, end - 0.6, 0.6, 0.0)
    script.now_s = end


def bend_sideways(performer: Performer, duration_s: float | None) -> None:
    """Bend to both sides, a few times."""
    end = performer.script.now_s + performer.length(duration_s, 2, 10)
    while performer.script.now_s < end:
        for side in (-1.0, 1.0):
            length = performer.seconds((1.2, 2.5))
            performer.excursion("roll", performer.script.now_s, length, side * performer.uniform((0.15, 0.45)))
            performer.excursion("lateral", performer.script.now_s, length, -side * performer.uniform((0.0, 0.08)))
            performer.wait(length)


def twisting(performer: Performer, duration_s: float | None) -> None:
    """Turn to both sides, a few times."""
    end = performer.script.now_s + performer.length(duration_s, 2, 8)
    while performer.script.now_s < end:
        for side in (-1.0, 1.0):
            length = performer.seconds((0.8, 2.0))
            performer.excursion("twist", performer.script.now_s, length, side * performer.uniform((0.3, 0.9)))
            performer.wait(length)


def lie_down_and_get_up(performer: Performer, duration_s: float | None) -> None:
    """Sit on a bench or bed, lie back (or onto a side) for a while, sit up, stand up."""
    script = performer.script
    _sit_down(performer, performer.uniform((0.38, 0.62)), performer.uniform((-0.3, 0.0)))
    start, down = script.now_s, performer.seconds((1.0, 2.2))
    script.move_to("pelvis", start, down, -performer.uniform((1.3, 1.65)))
    if performer.chance(0.4):
        script.move("twist", start + 0.5 * down, down, performer.side() * performer.uniform((0.6, 1.5)))
    performer.wait(1.5 * down)
    _busy(performer, performer.length(duration_s, 3, 20), performer.uniform((0.0, 2.0)))
    up = performer.seconds((1.0, 2.0))
    script.move_to("twist", script.now_s, up, 0.0)
    script.move_to("pelvis", script.now_s, up, performer.uniform((-0.2, 0.2)))
    performer.wait(up + performer.uniform((0.2, 1.5)))
    _rise_from_seat(performer)


def get_into_car(performer: Performer, duration_s: float | None) -> None:
    """Duck and turn into a low seat, sit leaning back, get out again."""
    script, side = performer.script, performer.side()
    turn, start = side * performer.uniform((0.9, 1.6)), script.now_s
    performer.excursion("roll", start, 2.2, side * performer.uniform((0.1, 0.35)))
    script.move("lateral", start, 2.0, side * performer.uniform((0.2, 0.45)))
    script.move("heading", start + 0.8, 2.0, turn)
    _sit_down(performer, performer.uniform((0.38, 0.55)), -performer.uniform((0.2, 0.6)))
    _busy(performer, performer.length(duration_s, 4, 20), performer.uniform((0.5, 3.0)))
    start = script.now_s
    script.move("heading", start, 1.5, -turn)
    script.move_to("lateral", start + 0.5, 2.0, 0.0)
    performer.wait(performer.uniform((0.4, 1.2)))
    performer.excursion("roll", start, 2.2, -side * performer.uniform((0.1, 0.3)))
    _rise_from_seat(performer)
    performer.wait(0.5)


def drinking(performer: Performer, duration_s: float | None) -> None:
    """Drink: the pelvis leans back a little."""
    start, length = performer.script.now_s, performer.length(duration_s, 2.5, 6)
    performer.excursion("pelvis", start, length, -performer.uniform((0.02, 0.14)))
    _busy(performer, length, 1.0)


def stumble(performer: Performer, duration_s: float | None) -> None:
    """Trip: thrown forward, caught with quick hard steps."""
    start = performer.script.now_s
    performer.excursion("pelvis", start, performer.uniform((0.7, 1.2)), performer.uniform((0.15, 0.6)))
    performer.excursion("height", start, performer.uniform((0.5, 0.9)), -performer.uniform((0.04, 0.15)))
    gait = Gait(performer.uniform((1.2, 1.7)), performer.uniform((0.8, 1.8)), 0.02, performer.uniform((6, 20)))
    go(performer, gait, performer.length(duration_s, 1.5, 2.5))


def calf_raises(performer: Performer, duration_s: float | None) -> None:
    """Rise onto the toes, several times, evenly."""
    end = performer.script.now_s + performer.length(duration_s, 4, 14)
    while performer.script.now_s < end:
        length = performer.seconds((1.2, 2.2))
        performer.excursion("height", performer.script.now_s, length, performer.varied(0.065, 2))
        performer.wait(length + performer.uniform((0.0, 0.4)))


def marching(performer: Performer, duration_s: float | None) -> None:
    """Lift the knees in turn on the spot: the pelvis rolls, tilts back and bobs."""
    script, start = performer.script, performer.script.now_s
    length = performer.length(duration_s, 3, 8)
    cycle = Cycle(start, performer.uniform((0.5, 0.9)), 0.1, 0.3, 0.0)
    script.wave("lateral", cycle, start + length, performer.uniform((0.02, 0.05)))
    script.wave("roll", cycle, start + length, performer.uniform((0.03, 0.1)))
    script.wave("pelvis", cycle, start + length, performer.uniform((0.03, 0.12)), harmonic=2)
    script.wave("height", cycle, start + length, performer.uniform((0.005, 0.02)), harmonic=2)
    performer.wait(length)


def kneel_and_rise(performer: Performer, duration_s: float | None) -> None:
    """Go down on one knee with an upright pelvis, stay, come up with a push."""
    script, side = performer.script, performer.side()
    down, up = performer.seconds((1.2, 2.2)), performer.seconds((1.2, 2.4))
    script.move("roll", script.now_s, down, side * performer.uniform((0.02, 0.15)))
    script.move("abduction", script.now_s, down, 0.6)
    script.bump("height", script.now_s + 0.95 * down, 0.03, -performer.uniform((1, 8)) * 0.03**2 / 6)
    performer.pose(down, performer.uniform((-0.15, 0.25)), performer.scaled(performer.uniform((0.38, 0.5))), 0.1)
    _busy(performer, performer.length(duration_s, 2, 12), performer.uniform((0.5, 3.0)))
    script.move("pelvis", script.now_s, 0.4 * up, performer.uniform((0.2, 0.6)))
    for channel in ("roll", "abduction"):
        script.move_to(channel, script.now_s + 0.3 * up, 0.7 * up, 0.0)
    _stand_up(performer, up)


def step_in_and_rack(performer: Performer, duration_s: float | None) -> None:
    """Walk a step or two forward with the bar, let it down onto the hooks, duck out from under it."""
    gait = Gait(performer.uniform((0.5, 0.8)), performer.uniform((0.2, 0.45)), 0.012, 2.0, pelvis_lean_rad=0.02)
    go(performer, gait, performer.length(duration_s, 1.0, 2.5))
    knock = performer.script.now_s + performer.uniform((0.1, 0.6))
    performer.script.bump("height", knock, 0.03, performer.uniform((-3.0, 3.0)) * 0.03**2 / 6)
    performer.excursion("speed", knock - 0.1, 0.3, -performer.uniform((0.0, 0.2)))
    _busy(performer, performer.uniform((0.2, 1.0)), 1.0)
    duck, lean = performer.scaled(performer.uniform((0.04, 0.16))), performer.uniform((0.05, 0.4))
    performer.pose(performer.seconds((0.5, 1.1)), lean, duck, 0.1)
    _busy(performer, performer.uniform((0.0, 0.6)), 1.0)
    if performer.chance(0.7):
        back = Gait(performer.uniform((0.5, 0.9)), -performer.uniform((0.2, 0.5)), 0.012, 2.0)
        performer.script.now_s -= 0.3
        go(performer, back, performer.uniform((1.0, 2.2)))
        performer.script.now_s -= 0.6
    _stand_up(performer, performer.seconds((0.6, 1.1)))


def stoop(performer: Performer, duration_s: float | None) -> None:
    """Reach down for chalk, a bottle or a plate, straight or askew, without a step, once or twice."""
    for _ in range(2 if performer.chance(0.3) else 1):
        _one_bend(performer, performer.length(duration_s, 0.1, 3.0))
        performer.wait(performer.uniform((0.0, 1.0)))


def move_weight(performer: Performer, duration_s: float | None) -> None:
    """Pick a weight up, carry it a few steps, put it down."""
    _one_bend(performer, performer.uniform((0.2, 1.5)))
    gait = Gait(performer.uniform((0.7, 0.95)), performer.uniform((0.4, 1.1)), 0.016, performer.uniform((2.0, 7.0)))
    go(performer, gait, performer.length(duration_s, 1.5, 6.0), performer.side() * performer.uniform((0.0, 2.5)))
    knock = performer.script.now_s + performer.uniform((0.9, 1.4))
    performer.script.bump("height", knock, 0.03, performer.uniform((0.5, 5.0)) * 0.03**2 / 6)
    _one_bend(performer, performer.uniform((0.1, 1.0)))


def hands_on_knees(performer: Performer, duration_s: float | None) -> None:
    """Lean on the knees to catch breath after a hard set."""
    lean, drop = performer.uniform((0.4, 1.0)), performer.scaled(performer.uniform((0.03, 0.18)))
    performer.pose(performer.seconds((0.8, 1.6)), lean, drop, performer.uniform((0.1, 0.5)))
    start, length = performer.script.now_s, performer.length(duration_s, 3, 15)
    cycle = Cycle(start, performer.uniform((0.3, 0.7)), 0.3, 0.1, 0.0)
    performer.script.wave("pelvis", cycle, start + length, performer.uniform((0.005, 0.04)))
    performer.script.wave("height", cycle, start + length, performer.uniform((0.001, 0.008)), phase_rad=1.0)
    _busy(performer, length, performer.uniform((0.5, 2.5)))
    _stand_up(performer, performer.seconds((0.9, 2.0)))


def straight_bend(performer: Performer, duration_s: float | None) -> None:
    """Bend or crouch to a weight at the feet, straight and without a step, and come up: much like a repetition."""
    down, up = performer.seconds((0.7, 1.6)), performer.seconds((0.7, 1.6))
    pelvis, drop = performer.uniform((0.4, 1.2)), performer.scaled(performer.uniform((0.02, 0.45)))
    performer.pose(down, pelvis, drop, performer.uniform((0.1, 0.5)))
    _busy(performer, performer.length(duration_s, 0.1, 2.0), performer.uniform((0.0, 1.5)))
    _stand_up(performer, up)


_DAILY: tuple[Callable[[Performer, float | None], None], ...] = (
    walking, few_steps, jogging, stairs_up, stairs_down, jump, sit_down_and_stand_up, tie_shoe, pick_up_weight,
    put_down_weight, unrack_and_step_back, fidgeting, bend_sideways, twisting, lie_down_and_get_up, get_into_car,
    drinking, stumble, calf_raises, marching, kneel_and_rise, step_in_and_rack, stoop, move_weight, hands_on_knees,
    jumps_in_a_row, straight_bend,
)  # fmt: skip
DAILY = {movement.__name__: movement for movement in _DAILY}
"""Every daily movement by name."""
