"""Labelled recordings and simulated sessions -> composed streams of a minute, on which the network is trained.

Public recordings with a sensor at the hip hold single slow repetitions, or squats only. So continuous sets are composed
from the single repetitions of one person: at other tempos, with residual lean between them, with the top cut off or a
breath taken, from another place on the belt, among daily life of the same person. Everything here works on the signals
at 20 Hz; heights and postures are joined, smoothed and differentiated again, so that acceleration and posture agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from imu.evaluation.labels import LabelledRepetition, height_between, smoothed
from imu.motion.features import ROW_STEPS, FeatureBuilder
from imu.motion.signals import STEP_S, MotionSignals
from imu.samples import STANDARD_GRAVITY_M_S2, Array

STREAM_ROWS = 600
"""Rows of a stream, 60 s: more than twice as far as the network looks back."""
STREAM_STEPS = STREAM_ROWS * ROW_STEPS

UP, DYNAMIC, TURN, SHAKE = slice(0, 3), slice(3, 6), 6, 7
"""Columns of a stretch: `up`, acceleration without gravity (both in the sensor frame), turn rate, shake."""


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Consecutive steps with the repetitions in them.

    Attributes
    ----------
    steps : (n, 8) array
        See `UP`, `DYNAMIC`, `TURN`, `SHAKE`.
    repetitions : tuple of LabelledRepetition
        In order; positions in steps.
    people : frozenset of str
        Who is in it, as ``data set/person``.
    """

    steps: Array
    repetitions: tuple[LabelledRepetition, ...] = ()
    people: frozenset[str] = frozenset()

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.steps)

    def part(self, start: int, end: int) -> Stretch:
        """Return the steps ``[start, end)`` with the repetitions that lie in them or across their edges."""
        repetitions = (r.moved(-start) for r in self.repetitions if r.end > start and r.start < end)
        return replace(self, steps=self.steps[start:end], repetitions=tuple(repetitions))


def stretch_of(signals: MotionSignals) -> Stretch:
    """Return the steps of signals, without repetitions."""
    up = signals.up
    vertical = signals.vertical_m_s2[:, None]
    dynamic = (signals.acceleration_m_s2 - vertical * up) + (vertical - STANDARD_GRAVITY_M_S2) * up
    return Stretch(np.column_stack((up, dynamic, signals.turn_rate_rad_s, signals.shake_m_s2)))


def vertical_of(steps: Array) -> Array:
    """Return the vertical acceleration (n,) without gravity."""
    return np.asarray((steps[:, UP] * steps[:, DYNAMIC]).sum(axis=1))


# -- changes of one stretch


def _normalised(up: Array) -> Array:
    return np.asarray(up / np.linalg.norm(up, axis=1, keepdims=True))


def _rotation_between(start: Array, end: Array) -> Array:
    """Return the smallest rotation (3, 3) that turns one unit vector into another."""
    x, y, z = np.cross(start, end)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + start @ end + 1e-9))


def _turned(steps: Array, rotation: Array) -> Array:
    """Return steps of a sensor that is turned in its holder."""
    turned = steps.copy()
    for columns in (UP, DYNAMIC):
        turned[:, columns] = steps[:, columns] @ rotation.T
    return turned


def _resampled(steps: Array, position: Array, slower: Array | float) -> Array:
    """Return the steps at positions (m,) between them, where the movement is `slower` times as slow, (m, 1) or all."""
    before = np.minimum(position.astype(int), len(steps) - 2)
    share = (position - before)[:, None]
    resampled: Array = steps[before] * (1 - share) + steps[before + 1] * share
    resampled[:, UP] = _normalised(resampled[:, UP])
    resampled[:, DYNAMIC] /= slower**2
    resampled[:, TURN:] /= slower
    return resampled


def _at_tempo(steps: Array, factor: float) -> Array:
    """Return steps of the same movement that takes `factor` times as long."""
    n = len(steps)
    return _resampled(steps, np.linspace(0, n - 1, max(4, round(n * factor))), factor)


def _with_tempo(stretch: Stretch, factor: float) -> Stretch:
    steps = _at_tempo(stretch.steps, factor)
    exact = len(steps) / len(stretch)
    return replace(stretch, steps=steps, repetitions=tuple(r.moved(0.0, exact) for r in stretch.repetitions))


def at_own_pace(rng: np.random.Generator, single: Stretch) -> Stretch:
    """Return a single repetition whose way down, hold and way up take longer or shorter, each by itself."""
    (r,), n = single.repetitions, len(single)
    down, up = np.exp(rng.uniform(-0.5, 0.5) + rng.uniform(-0.25, 0.25, 2))
    hold = np.exp(rng.uniform(-1.6, 0.5))
    steps = np.arange(n)
    longer = np.where(steps < r.start, 1.0, np.where(steps < r.bottom_start, down, hold))
    longer = np.where(steps >= r.bottom_end, np.where(steps < r.end, up, 1.0), longer)
    longer = smoothed(longer, 3.0)
    moment = np.concatenate(([0.0], np.cumsum(longer)[:-1]))
    position = np.interp(np.arange(int(moment[-1])), moment, steps)
    paced = _resampled(single.steps, position, np.interp(position, steps, longer)[:, None])
    names = ("start", "bottom_start", "bottom", "bottom_end", "end")
    places = {name: float(np.interp(getattr(r, name), steps, moment)) for name in names}
    return replace(single, steps=paced, repetitions=(LabelledRepetition(**places, hinge=r.hinge),))


def worn_elsewhere(stretch: Stretch, shift_m: Array) -> Stretch:
    """Return the stretch as a sensor measures it that sits elsewhere on the pelvis.

    Parameters
    ----------
    shift_m : (3,) array
        From the old to the new place, in the sensor frame.
    """
    up = _normalised(smoothed(stretch.steps[:, UP], 1.0))
    rate = np.cross(np.gradient(up, STEP_S, axis=0), up) + stretch.steps[:, TURN, None] * up
    added = np.cross(np.gradient(rate, STEP_S, axis=0), shift_m) + np.cross(rate, np.cross(rate, shift_m))
    steps = stretch.steps.copy()
    steps[:, DYNAMIC] += np.clip(smoothed(added, 1.0), -20, 20)
    return replace(stretch, steps=steps)


def _lean_direction(stretch: Stretch) -> Array | None:
    """Return the unit direction, in the sensor frame, in which `up` moves in this person's lean; None if small."""
    if not stretch.repetitions:
        return None
    repetition = stretch.repetitions[0]
    first, turn = round(repetition.start), round(repetition.bottom)
    lean = stretch.steps[turn, UP] - stretch.steps[max(0, first - 4) : first + 1, UP].mean(axis=0)
    size = float(np.linalg.norm(lean))
    return lean / size if size > 0.15 else None


def quiet_standing(rng: np.random.Generator, posture: Array, steps: int) -> Array:
    """Return steps of a person who stands in the posture of the step `posture` (8,)."""
    quiet = np.repeat(posture[None], steps, axis=0)
    quiet[:, UP] += np.cumsum(rng.normal(0, 0.0008, (steps, 3)), axis=0)
    quiet[:, UP] = _normalised(quiet[:, UP])
    quiet[:, DYNAMIC] = smoothed(rng.normal(0, 0.03, (steps, 3)), 1.5)
    quiet[:, TURN] = smoothed(rng.normal(0, 0.02, steps), 1.5)
    quiet[:, SHAKE] = np.abs(rng.normal(0.04, 0.02, steps))
    return quiet


def disturbed(rng: np.random.Generator, stretch: Stretch) -> Stretch:
    """Return the stretch as another body and another sensor would have made it."""
    steps = stretch.steps.copy()
    n = len(steps)
    mean_posture = smoothed(steps[:, UP], 200)
    amplitude = np.exp(rng.uniform(-0.25, 0.2))
    steps[:, UP] = _normalised(mean_posture + amplitude * (steps[:, UP] - mean_posture))
    steps[:, TURN] *= amplitude
    vertical = vertical_of(steps)[:, None] * steps[:, UP]
    horizontal = steps[:, DYNAMIC] - vertical
    steps[:, DYNAMIC] = vertical * np.exp(rng.uniform(-0.3, 0.2)) + horizontal * np.exp(rng.uniform(-0.4, 0.2))
    low_rate = rng.random() < 0.12  # at 20 to 30 Hz a step holds one sample: hardly any shake is left
    steps[:, SHAKE] *= np.exp(rng.uniform(-3.0, -1.0) if low_rate else rng.uniform(-0.7, 0.7))
    noise = rng.uniform(0, 0.08)
    steps[:, DYNAMIC] += rng.normal(0, 0.1, 3) + rng.normal(0, noise, (n, 3))
    steps[:, TURN] += rng.normal(0, 0.01) + rng.normal(0, rng.uniform(0, 0.02), n)
    if rng.random() < 0.1:
        _lose_packets(rng, steps)
    return replace(stretch, steps=steps)


def _lose_packets(rng: np.random.Generator, steps: Array) -> None:
    """Replace some holes of 0.1 to 0.45 s by straight lines, as the resampler does."""
    for _ in range(int(rng.integers(1, 12))):
        length = int(rng.integers(2, 10))
        if len(steps) <= length + 2:
            return
        first = int(rng.integers(0, len(steps) - length - 1))
        share = np.linspace(0, 1, length + 1)[:, None]
        steps[first : first + length + 1] = steps[first] * (1 - share) + steps[first + length] * share
        steps[first : first + length + 1, UP] = _normalised(steps[first : first + length + 1, UP])


# -- joining


def joined(rng: np.random.Generator, parts: Sequence[Stretch], aligned: float = 0.7) -> Stretch:
    """Return the parts one after the other, cross-faded; most are turned so that the posture goes on."""
    steps, repetitions = parts[0].steps, list(parts[0].repetitions)
    for part in parts[1:]:
        following = part.steps
        before, after = (_normalised(x.mean(axis=0)[None])[0] for x in (steps[-6:, UP], following[:6, UP]))
        if before @ after > np.cos(np.radians(30)) and rng.random() < aligned:
            following = _turned(following, _rotation_between(after, before))
        fade = min(int(rng.integers(3, 11)), len(steps) // 3, len(following) // 3)
        share = (np.arange(1, fade + 1) / (fade + 1))[:, None]
        seam = steps[-fade:] * (1 - share) + following[:fade] * share
        seam[:, UP] = _normalised(seam[:, UP])
        offset = len(steps) - fade
        steps = np.vstack([steps[:-fade], seam, following[fade:]])
        repetitions += [r.moved(offset) for r in part.repetitions]
    return Stretch(steps, tuple(repetitions), frozenset().union(*(part.people for part in parts)))


def composed_set(rng: np.random.Generator, singles: Sequence[Stretch]) -> Stretch:
    """Return a continuous set made of single repetitions of one person and one pattern."""
    count = int(rng.choice([1, 2, 3, 4, 5, 6, 8, 10]))
    tempo = float(np.exp(rng.uniform(np.log(0.3), np.log(1.15)))) if rng.random() < 0.8 else rng.uniform(1.0, 2.2)
    touch_and_go = rng.random() < 0.65
    lean_rad = np.radians(rng.uniform(0, 25)) if touch_and_go and rng.random() < 0.6 else 0.0
    manner = _SetManner(touch_and_go, float(rng.choice([1.0, 0.3, 0.0])))
    same = rng.random() < 0.5
    drawn = rng.choice(len(singles), count)
    fatigue = rng.uniform(0, 0.5) if rng.random() < 0.3 else 0.0
    parts: list[Array] = []
    heights: list[Array] = []
    repetitions: list[LabelledRepetition] = []
    done, posture = 0, None
    for q in range(count):
        single = singles[drawn[0] if same else drawn[q]]
        first, last, progress = q == 0, q == count - 1, q / max(1, count - 1)
        factor = float(np.clip(tempo * np.exp(rng.normal(0, 0.06)) * (1 + fatigue * progress**2), 0.25, 3.0))
        steps, height, located = _one_of_set(rng, single, factor, manner, first=first, last=last)
        depth = np.exp(rng.normal(0, 0.05)) * (1 - 0.4 * fatigue * progress**2)
        ends = _normalised((steps[:3, UP].mean(axis=0) + steps[-3:, UP].mean(axis=0))[None])[0]
        if posture is None:
            posture = ends
        else:
            steps = _turned(steps, _rotation_between(ends, posture))
        if lean_rad:
            steps = _leaning(steps, located, lean_rad * np.exp(rng.normal(0, 0.1)), first=first, last=last)
        height = height * depth
        heights.append(height - (0 if not heights else height[0] - heights[-1][-1]))
        parts.append(steps)
        repetitions.append(located.moved(done))
        done += len(steps)
    steps = _agreeing(np.vstack(parts), np.concatenate(heights), rng.uniform(1.2, 3.0) if touch_and_go else 1.5)
    if touch_and_go:
        for q in range(count - 1):
            between = (repetitions[q].end + repetitions[q + 1].start) / 2
            repetitions[q] = replace(repetitions[q], end=between)
            repetitions[q + 1] = replace(repetitions[q + 1], start=between)
    return Stretch(steps, tuple(repetitions), singles[0].people)


@dataclass(frozen=True, slots=True)
class _SetManner:
    """How a composed set is done: with or without standing still at the top, and how long the bottom is held."""

    touch_and_go: bool
    hold_kept: float


def _one_of_set(
    rng: np.random.Generator, single: Stretch, factor: float, manner: _SetManner, *, first: bool, last: bool
) -> tuple[Array, Array, LabelledRepetition]:
    """Return steps, height and place of one repetition: the top cut off or a breath kept, its hold shortened."""
    (r,), n = single.repetitions, len(single)
    touch_and_go, hold_kept = manner.touch_and_go, manner.hold_kept
    down, up = r.bottom_start - r.start, r.end - r.bottom_end
    begin = r.start + (rng.uniform(0, 0.12) * down if touch_and_go else -rng.integers(0, 30))
    end = r.end - (rng.uniform(0, 0.12) * up if touch_and_go else -rng.integers(0, 30))
    begin = min(begin, r.start - rng.integers(5, 40)) if first else begin
    end = max(end, r.end + rng.integers(2, 30)) if last else end
    indices = np.arange(max(2, int(begin)), min(n - 3, int(end)))
    height = height_between(vertical_of(single.steps), max(2, int(r.start) - 8), min(n - 3, int(r.end) + 8))
    if r.bottom_end - r.bottom_start > 6 and hold_kept < 1:
        hold = np.flatnonzero((indices >= r.bottom_start + 2) & (indices < r.bottom_end - 2))
        indices = np.delete(indices, hold[int(len(hold) * hold_kept) :])
    steps = _at_tempo(single.steps[indices], factor)
    at = np.linspace(0, len(indices) - 1, len(steps))
    names = ("start", "bottom_start", "bottom", "bottom_end", "end")
    places = {name: factor * float(np.searchsorted(indices, getattr(r, name))) for name in names}
    resampled_height = smoothed(np.interp(at, np.arange(len(indices)), height[indices]), 2)
    return steps, resampled_height, LabelledRepetition(**places, hinge=r.hinge)


def _leaning(steps: Array, repetition: LabelledRepetition, lean_rad: float, *, first: bool, last: bool) -> Array:
    """Return a repetition that does not return to upright: `lean_rad` is left at its top, nothing added at its peak."""
    top = _normalised(steps[:3, UP].mean(axis=0)[None])[0]
    turn = min(round(repetition.bottom), len(steps) - 1)
    axis = np.cross(steps[turn, UP], top)
    size = float(np.linalg.norm(axis))
    if size < 0.1:
        return steps
    axis /= size
    share = np.clip(np.linalg.norm(steps[:, UP] - top, axis=1) / np.linalg.norm(steps[turn, UP] - top), 0, 1)
    angle = lean_rad * (1 - share)
    index = np.arange(len(steps))
    if first:
        angle = np.where(index < turn, 0.0, angle)
    if last:
        angle = np.where(index > turn, 0.0, angle)
    leaning = steps.copy()
    sine, cosine = np.sin(-angle)[:, None], np.cos(angle)[:, None]
    for columns in (UP, DYNAMIC):
        vectors = steps[:, columns]
        along = (vectors @ axis)[:, None] * axis
        leaning[:, columns] = along + cosine * (vectors - along) + sine * np.cross(axis, vectors)
    return leaning


def _agreeing(steps: Array, height: Array, sigma: float) -> Array:
    """Return steps with smooth posture and height, and the vertical acceleration that follows from the height."""
    agreeing = steps.copy()
    agreeing[:, UP] = _normalised(smoothed(steps[:, UP], sigma))
    vertical = vertical_of(steps)
    horizontal = smoothed(steps[:, DYNAMIC] - vertical[:, None] * steps[:, UP], 1.0)
    fast = np.clip(vertical - smoothed(vertical, 2), -1, 1)
    vertical = np.clip(np.gradient(np.gradient(smoothed(height, sigma))) / STEP_S**2, -12, 12) + fast
    agreeing[:, DYNAMIC] = horizontal + vertical[:, None] * agreeing[:, UP]
    return agreeing


# -- whole streams


@dataclass(frozen=True, slots=True)
class Material:
    """The pieces that streams are composed from.

    Attributes
    ----------
    singles : dict
        For each person the recordings of single repetitions: {person: {"squat" or "hinge": [stretches]}}.
    daily : dict
        For each person, pieces of daily life in which nothing counts.
    sets : list of Stretch
        Real sets.
    simulated : list of Stretch
        Whole simulated sessions.
    """

    singles: dict[str, dict[str, list[Stretch]]]
    daily: dict[str, list[Stretch]]
    sets: list[Stretch]
    simulated: list[Stretch]


SHARES = {"person": 0.42, "simulated": 0.38, "sets": 0.12, "daily": 0.08}
"""How often a stream comes from where, as far as there is material."""

SET_APART_STEPS = 80
"""A repetition after 4 s without one is the first of a set."""

PLACES_M = (
    # from the front of the belt, in metres forward and left, to where people wear a sensor
    (0.0, 0.0),
    (-0.10, 0.15),
    (-0.10, -0.15),
    (-0.20, 0.0),
)


def compose(rng: np.random.Generator, material: Material) -> Stretch:
    """Return one stream of `STREAM_STEPS` steps."""
    sources = [s for s in SHARES if getattr(material, {"person": "singles"}.get(s, s))]
    shares = np.array([SHARES[s] for s in sources])
    source = sources[rng.choice(len(sources), p=shares / shares.sum())]
    if source == "person":
        stream = _with_tempo(_person_stream(rng, material), float(np.exp(rng.uniform(-0.16, 0.18))))
    elif source == "simulated":
        stream = _simulated_stream(rng, material.simulated)
    elif source == "sets":
        stream = material.sets[rng.integers(len(material.sets))]
        if rng.random() < 0.5:
            before = quiet_standing(rng, stream.steps[:5].mean(axis=0), int(rng.integers(4, 120)))
            stream = joined(rng, [Stretch(before), stream], aligned=0.0)
        if rng.random() < 0.3 and material.daily:
            stream = joined(rng, [stream, _daily_piece(rng, material)])
        stream = _with_tempo(stream, float(np.exp(rng.uniform(np.log(0.6), np.log(1.8)))))
    else:
        stream = _daily_stream(rng, material)
    stream = disturbed(rng, stream)
    if len(stream) > STREAM_STEPS:
        first = _beginning(rng, stream)
        return stream.part(first, first + STREAM_STEPS)
    if len(stream) < STREAM_STEPS:
        rest = quiet_standing(rng, stream.steps[-5:].mean(axis=0), STREAM_STEPS - len(stream))
        stream = replace(stream, steps=np.vstack([stream.steps, rest]))
    return stream


def _beginning(rng: np.random.Generator, stream: Stretch) -> int:
    """Return at which step of a longer one a stream begins: at its start, anywhere, or shortly before a set.

    Recordings of single sets begin within a second of the first repetition (`squat_sets`), in any posture.
    """
    latest = len(stream) - STREAM_STEPS
    if rng.random() < 0.3:
        return 0
    anywhere, shortly_steps = int(rng.integers(0, latest + 1)), int(rng.integers(0, 30))
    firsts = [round(start) for start in _first_starts(stream) if 0 <= start < latest]
    if not firsts or rng.random() < 0.75:
        return anywhere
    return max(0, firsts[int(rng.integers(len(firsts)))] - shortly_steps)


def _first_starts(stream: Stretch) -> list[float]:
    """Return the steps at which the first repetitions of sets begin."""
    reps = stream.repetitions
    return [r.start for i, r in enumerate(reps) if i == 0 or r.start - reps[i - 1].end > SET_APART_STEPS]


def _daily_piece(rng: np.random.Generator, material: Material, person: str | None = None) -> Stretch:
    """Return up to 14 s of daily life."""
    pieces = material.daily[person or list(material.daily)[rng.integers(len(material.daily))]]
    piece = pieces[rng.integers(len(pieces))]
    longest = 280
    if len(piece) <= longest:
        return piece
    first = int(rng.integers(0, len(piece) - longest))
    return piece.part(first, first + longest)


def _person_stream(rng: np.random.Generator, material: Material) -> Stretch:
    """Return sets, single repetitions and daily life of one person, with the sensor in one place."""
    person = list(material.singles)[rng.integers(len(material.singles))]
    own = material.singles[person]
    begins_with_set = rng.random() < 0.35
    parts: list[Stretch] = []
    while sum(map(len, parts)) < 1.2 * STREAM_STEPS:
        choice = rng.random() * (0.38 if begins_with_set and not parts else 1.0)
        kinds = [kind for kind in ("squat", "hinge") if own.get(kind)]
        if choice < 0.68 and kinds:
            singles = own[kinds[rng.integers(len(kinds))]]
            single = singles[rng.integers(len(singles))]
            part = composed_set(rng, singles) if choice < 0.38 else at_own_pace(rng, single)
        else:
            part = _daily_piece(rng, material, person if material.daily.get(person) else None)
        parts.append(part)
    stream = joined(rng, parts)
    forward = next((d for kind in own for s in own[kind] if (d := _lean_direction(s)) is not None), None)
    if forward is not None:
        standing = _normalised(own[next(iter(own))][0].steps[:10, UP].mean(axis=0)[None])[0]
        anterior = -forward  # `up` moves backward in the sensor frame of a person who leans forward
        ahead, aside = PLACES_M[rng.integers(len(PLACES_M))]
        stream = worn_elsewhere(stream, ahead * anterior + aside * np.cross(standing, anterior))
    return stream


def _simulated_stream(rng: np.random.Generator, sessions: Sequence[Stretch]) -> Stretch:
    """Return a part of a simulated session, mostly one with repetitions in it."""
    session = sessions[int(rng.integers(len(sessions)))]
    longest = round(1.5 * STREAM_STEPS)
    first = int(rng.integers(0, max(1, len(session) - longest)))
    reps = session.repetitions
    if reps and rng.random() < 0.8:
        firsts = _first_starts(session)
        any_start = reps[rng.integers(len(reps))].start - rng.integers(5, STREAM_STEPS)
        start = firsts[rng.integers(len(firsts))] - rng.integers(5, 60) if rng.random() < 0.5 else any_start
        first = int(np.clip(start, 0, max(0, len(session) - longest)))
    return _with_tempo(session.part(first, first + longest), float(np.exp(rng.uniform(np.log(0.7), np.log(1.3)))))


def _daily_stream(rng: np.random.Generator, material: Material) -> Stretch:
    parts: list[Stretch] = []
    while sum(map(len, parts)) < STREAM_STEPS:
        parts.append(_daily_piece(rng, material))
    return _with_tempo(joined(rng, parts), float(np.exp(rng.uniform(np.log(0.8), np.log(1.25)))))


def features_of(stretch: Stretch) -> Array:
    """Return the features (rows, len(FEATURES)) of a stretch, as a stream that begins there has them."""
    n = len(stretch) // ROW_STEPS
    steps = stretch.steps[: n * ROW_STEPS]
    acceleration = steps[:, DYNAMIC] + STANDARD_GRAVITY_M_S2 * steps[:, UP]
    vertical = (acceleration * steps[:, UP]).sum(axis=1)
    columns = np.column_stack((steps[:, UP], acceleration, vertical, steps[:, TURN], steps[:, SHAKE]))
    means = columns.reshape(n, ROW_STEPS, -1).mean(axis=1)
    return np.asarray(FeatureBuilder().rows(np.ascontiguousarray(means.T)).T)
