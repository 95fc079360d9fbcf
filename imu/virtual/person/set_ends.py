"""What may follow the last repetition of a set: the weight goes back to the floor, or one more repetition fails.

Both look like a repetition in part and are none: the truth lists them beside the daily movements.
"""

from __future__ import annotations

from dataclasses import replace

from imu.virtual.person.exercises import Repetition, descend
from imu.virtual.person.gait import Gait, go
from imu.virtual.person.manner import Failure
from imu.virtual.person.performer import Performer, Span
from imu.virtual.person.script import Channel
from imu.virtual.person.variants import Variant

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
