"""Events of a training -> the live view model.

:class:`LiveTraining` takes events, notices, the state of the link and the time, and gives a :class:`LiveView`. It reads
no clock: its caller passes the time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imu.bluetooth import LinkState
from imu.live.cards import card, other_was_meant, training_advice
from imu.live.entries import exercise_event, recount_event
from imu.live.live_view import (
    LOW_BATTERY_PERCENT,
    Gravity,
    Link,
    LiveView,
    Message,
    Move,
    Tally,
    TrainedBefore,
)
from imu.live.set_view import Phase, set_fields
from imu.live.signals import Coach, Signal
from imu.live.targets import Plan, Targets
from imu.motion.form import Posture
from imu.motion.pattern import Pattern
from imu.motion.repetitions import RejectedMovement, Repetition
from imu.motion.resampling import is_bridged
from imu.sensors.conversation import (
    Battery,
    Caution,
    Malformed,
    Notice,
    Refused,
    Restarted,
    SamplesLost,
    SamplesRecovered,
)
from imu.session import (
    UNLIKELY,
    Event,
    GapFound,
    MovementRejected,
    RepetitionCounted,
    RepetitionTakenBack,
    RestBegan,
    SetClosed,
    TrainingSet,
)
from imu.store.exercises import usual_name

NOT_COUNTED_SHOWN_S = 6.0
"""How long a movement that was not counted is shown: long enough to read after standing up again."""
LONE_OFFERED_S = 60.0
"""How long a lone movement is offered to be kept; the next repetition ends the offer sooner."""
MESSAGE_SHOWN_S = {Gravity.NOTE: 15.0, Gravity.CAUTION: 60.0, Gravity.PROBLEM: math.inf}
"""How long a message stands."""
MESSAGES = 3
"""At most this many messages are shown, the latest."""
STANDING_TILT_RAD = math.radians(60)
"""A person whose trunk tilts more does not stand: between repetitions people stay up to 25° forward."""
STILL_S, CALM_S = 1.2, 0.3
"""A rest is shown this long after a repetition, if the network has seen nothing like another one for `CALM_S`; it ends
silently when it does. In 20 simulated sessions (bench_targets, seeds 41000-41019) 59 of 60 rests are shown within 2 s
of standing still, and a descent that follows ends it within 0.3 s in 352 of 356 repetitions."""
LONGEST_GLIDE_S = 0.3
"""A posture that comes later than this after the one before is shown at once."""
LEAST_BEFORE_REST = 2
"""A lone repetition is no set, and no rest follows it."""


class LiveTraining:
    """Take what happens in a training, give its view.

    Parameters
    ----------
    before : TrainedBefore or None
        Trainings earlier today and in 28 days, and the last sets of exercises.
    rest_target_s : float or None
        How long the person means to rest between sets, where the plan does not say it.
    plan : Plan or None
        The person's targets.
    """

    def __init__(
        self, before: TrainedBefore | None = None, rest_target_s: float | None = None, plan: Plan | None = None
    ) -> None:
        self._before = before or TrainedBefore()
        self._clock, self._glide = _Clock(), _Glide()
        self._coach = Coach(plan, {name: past.best for name, past in self._before.exercises.items()})
        self._lone: list[tuple[RejectedMovement, float]] = []
        self._not_counted: tuple[RejectedMovement | None, float] = None, -math.inf
        self._sentences: list[_Sentence] = []  # the latest first
        self._linked_s: float | None = None
        self._battery_was_low = False
        self._stands_still = False  # since the last repetition, for long enough
        self._rest_target_s = rest_target_s
        self._facts = LiveView()  # the part that does not depend on the time

    @property
    def coach(self) -> Coach:
        """Plan, sets and signals of the training."""
        return self._coach

    def tick(self, now_s: float, latest_sample_s: float, posture: Posture | None = None) -> None:
        """Take the time and the posture; call it before `take` and before each view.

        Parameters
        ----------
        now_s : float
            On a clock of this computer that only goes forward.
        latest_sample_s : float
            Time of the latest sample on the session's axis; 0 before the first.
        posture : Posture or None
            Where the hip is now.
        """
        self._clock.tick(now_s, latest_sample_s)
        self._facts = replace(self._facts, posture=self._glide.tick(now_s, posture))
        self._look_for_rest(posture)

    def _look_for_rest(self, posture: Posture | None) -> None:
        """See whether the person stands still since the last repetition for as long as a rest takes to be shown."""
        calm = posture is not None and posture.calm_s >= CALM_S and posture.trunk_tilt_rad <= STANDING_TILT_RAD
        going_on = self._coach.going_on
        self._stands_still = calm and bool(going_on) and self._clock.session_s - going_on[-1].end_s >= STILL_S

    def take(self, happened: Event | Notice | Link) -> list[Signal]:
        """Take what happened in the session, to the sensor or to the link; return the signals that it calls for."""
        match happened:
            case Link():
                self._take_link(happened)
            case (
                RepetitionCounted()
                | RepetitionTakenBack()
                | RestBegan()
                | SetClosed()
                | MovementRejected()
                | GapFound()
            ):
                return self._take_event(happened)
            case _:
                self._take_notice(happened)
        return []

    def advance(self, session_s: float) -> list[Signal]:
        """Take the time on the session's axis; return the signal of a rest that is over."""
        return self._coach.advance(session_s)

    def pause(self, paused: bool) -> None:
        """Take note of whether the person has paused."""
        self._facts = replace(self._facts, paused=paused)

    def rest_for(self, target_s: float | None) -> None:
        """Take note of how long the person means to rest; the plan is changed likewise."""
        self._rest_target_s = target_s
        plan = self._coach.plan
        self._coach.follow(Plan((Targets(rest_s=target_s),)) if plan is None else plan.with_rest(target_s))

    def recount(self, set_number: int | None, more: int, *, goes_on: bool = True) -> Mapping[str, Any] | None:
        """Correct the count of a set: 1 adds a missed repetition, -1 removes a movement that was no repetition.

        Parameters
        ----------
        set_number : int or None
            Which set; ``None`` for the one that is shown.
        more : int
            1 or -1.
        goes_on : bool
            Whether the training goes on, so that a counted repetition can be taken back.

        Returns
        -------
        mapping or None
            The entry that :meth:`enter` takes; ``None`` if the last counted repetition is to be taken back instead.

        Raises
        ------
        ValueError
            If there is no such set, or no repetition would be left.
        """
        sets = self._sets_so_far
        number = len(sets) if set_number is None else set_number
        if more not in (1, -1) or not 1 <= number <= len(sets):
            raise ValueError(f"there is no set {number} to correct by one")
        one = sets[number - 1]
        by_hand = self._more_in(one)
        if goes_on and more < 0 and by_hand <= 0 and number == len(sets):
            return None
        if len(one.repetitions) + by_hand + more < 1:
            raise ValueError("a set has at least one repetition: delete it on the page of the session")
        return recount_event(one, more, is_over=number <= len(self._coach.sets))

    def exercise(self, set_number: int, exercise: Targets) -> Mapping[str, Any]:
        """Return the entry of an exercise and load for a set that is over.

        Raises
        ------
        ValueError
            If there is no such set.
        """
        if not 1 <= set_number <= len(self._coach.sets):
            raise ValueError(f"there is no set {set_number}")
        return exercise_event(self._coach.sets[set_number - 1], exercise)

    def move(self, set_number: int | None) -> Mapping[str, Any]:
        """Return the entry that counts a set as the exercise that was done, or back as the planned one.

        Parameters
        ----------
        set_number : int or None
            Which set; ``None`` for the one that is shown.

        Raises
        ------
        ValueError
            If there is no such set, or it was done as planned.
        """
        sets = self._sets_so_far
        number = len(sets) if set_number is None else set_number
        move = self._move(number - 1, sets[number - 1]) if 1 <= number <= len(sets) else None
        if move is None:
            raise ValueError(f"set {number} was done as planned")
        return exercise_event(sets[number - 1], move.exercise, is_over=number <= len(self._coach.sets))

    def enter(self, entry: Mapping[str, Any]) -> list[Signal]:
        """Take an entry of `recount` or `exercise`; return the signals that it calls for."""
        return self._coach.enter(entry)

    @property
    def _sets_so_far(self) -> list[TrainingSet]:
        """The sets that are over, and the one going on."""
        return [*self._coach.sets, *([TrainingSet(tuple(self._coach.going_on))] if self._coach.going_on else [])]

    def _more_in(self, one: TrainingSet) -> int:
        return self._coach.entries.more_in(one.repetitions)

    def _exercise_of(self, index: int, one: TrainingSet) -> Targets | None:
        place = self._coach.place_of(index)
        planned = None if place is None or place.targets.is_other(one.pattern) else place.targets
        return self._coach.entries.exercise_of(one) or planned

    def _move(self, index: int, one: TrainingSet) -> Move | None:
        place = self._coach.place_of(index)
        if place is None or place.targets.exercise is None or not place.targets.is_other(one.pattern):
            return None
        planned = place.targets
        now = self._coach.entries.exercise_of(one) or planned
        load = Targets(load_kg=now.load_kg, load_in_lb=now.load_in_lb)
        if now.exercise not in (None, planned.exercise):
            exercise, text = planned.exercise, f"Back to {planned.exercise}"
            about = f"Set {index + 1} counts as {now.exercise}"
        else:
            of_plan = () if self._coach.plan is None else self._coach.plan.exercises
            names = (each.exercise for each in of_plan if each.exercise is not None and each.pattern is one.pattern)
            exercise = next(names, None) or self._before.latest.get(one.pattern, usual_name(one.pattern))
            text, about = f"Count as {exercise}", other_was_meant(one, planned)
        return Move(replace(load, exercise=exercise), about, text)

    def tell(self, sentence: str, gravity: Gravity = Gravity.NOTE) -> None:
        """Show one sentence; a sentence that stands already is renewed."""
        others = [shown for shown in self._sentences if shown.sentence != sentence]
        self._sentences = [_Sentence(sentence, gravity, self._clock.now_s), *others]

    @property
    def advice(self) -> tuple[str, ...]:
        """The training's strength and one thing to try next time, a sentence each."""
        return training_advice(
            [card(training_set, self._coach, index) for index, training_set in enumerate(self._coach.sets)]
        )

    def view(self) -> LiveView:
        """Return the view of this moment."""
        now_s, phase, shown = self._clock.now_s, *self._phase_and_set()
        offered = self._offered(now_s)
        sets, going_on = self._coach.sets, self._coach.going_on
        of_sets = [*(one_set.repetitions for one_set in sets), *([tuple(going_on)] if going_on else [])]
        done = sum((tally(one_set, self._coach.entries.more_in(one_set)) for one_set in of_sets), Tally())
        connected = self._facts.link.state is LinkState.CONNECTED
        facts = replace(
            self._facts,
            posture=self._facts.posture if connected else None,
            rest_target_s=self._rest_target_s,
        )
        return replace(
            facts,
            phase=phase,
            shown=shown,
            set_number=len(sets) + bool(going_on),
            set_may_go_on=bool(going_on),
            set_s=None if shown is None else self._set_s(shown, phase),
            rest_s=None if shown is None else self._rest_s(shown),
            rest_is_provisional=phase is Phase.REST and bool(going_on) and self._coach.rest_since_s is None,
            sets=tuple(sets),
            counts=tuple(len(one_set.repetitions) + self._more_in(one_set) for one_set in sets),
            exercises=tuple(self._exercise_of(index, training_set) for index, training_set in enumerate(sets)),
            moves=tuple(self._move(index, one_set) for index, one_set in enumerate(sets)),
            move=None if phase is not Phase.REST or shown is None else self._move(len(self._sets_so_far) - 1, shown),
            recount=0 if shown is None else self._more_in(shown),
            session=done,
            today=self._before.today + done,
            last_28_days=self._before.last_28_days + done,
            lone=offered[-1] if offered else None,
            lone_together=len(offered),
            not_counted=self._latest_not_counted(now_s),
            link_s=0.0 if self._linked_s is None else now_s - self._linked_s,
            messages=self._messages(now_s),
            **set_fields(self._coach, self._before.exercises, facts.posture, phase, shown),
        )

    # -- what happened

    def _take_event(self, event: Event) -> list[Signal]:
        signals = self._coach.take(event)
        match event:
            case RepetitionCounted(repetition):
                self._stands_still = False
                latest, _ = self._not_counted
                if latest is not None and repetition.start_s < latest.end_s:  # it was a part of the repetition
                    self._not_counted = None, -math.inf
                self._lone = []
                self._facts = replace(self._facts, counted=self._facts.counted + 1)
            case RepetitionTakenBack():
                self._facts = replace(self._facts, taken_back=self._facts.taken_back + 1)
            case SetClosed(closed):
                self._lone = [each for each in self._lone if each[0].repetition not in closed.repetitions]
            case MovementRejected(movement):
                self._take_rejected(movement)
            case GapFound(gap):
                missing_s = gap.end_s - gap.start_s
                self._facts = replace(self._facts, without_samples_s=self._facts.without_samples_s + missing_s)
                if not is_bridged(gap):
                    self.tell(f"{missing_s:.1f} s came without samples: a repetition in them is not counted")
        return signals

    def _take_rejected(self, movement: RejectedMovement) -> None:
        if movement.repetition is None:
            self._not_counted = movement, self._clock.now_s
            return
        self._lone.append((movement, self._clock.now_s))

    def _take_link(self, link: Link) -> None:
        trying_again = self._facts.link.state is LinkState.LOST and link.state is not LinkState.CONNECTED
        if trying_again:
            link = replace(link, state=LinkState.LOST, sensor=link.sensor or self._facts.link.sensor)
        if link.state is not self._facts.link.state or self._linked_s is None:
            self._linked_s = self._clock.now_s
        self._facts = replace(self._facts, link=link)

    def _take_notice(self, notice: Notice) -> None:
        facts = self._facts
        match notice:
            case Battery(percent):
                self._facts = replace(facts, battery_percent=percent)
                self._warn_of_battery(percent)
            case SamplesLost(None):
                self._facts = replace(facts, losses_of_unknown_size=facts.losses_of_unknown_size + 1)
            case SamplesLost(int(samples)):
                self._facts = replace(facts, samples_lost=facts.samples_lost + samples)
            case SamplesRecovered(samples):
                self._facts = replace(facts, samples_recovered=facts.samples_recovered + samples)
            case Malformed():
                self._facts = replace(facts, malformed=facts.malformed + 1)
            case Restarted():
                self.tell("the sensor has restarted; counting goes on after the gap", Gravity.CAUTION)
            case Caution(sentence):
                self.tell(sentence, Gravity.CAUTION)
            case Refused(sentence):
                self.tell(sentence, Gravity.PROBLEM)

    def _warn_of_battery(self, percent: float) -> None:
        low = percent <= LOW_BATTERY_PERCENT
        if low and not self._battery_was_low:
            self.tell(f"the sensor's battery is at {percent:.0f} %: charge it after this training", Gravity.CAUTION)
        self._battery_was_low = low

    # -- the view

    def _phase_and_set(self) -> tuple[Phase, TrainingSet | None]:
        if self._coach.going_on:
            stood = self._stands_still and len(self._coach.going_on) >= LEAST_BEFORE_REST
            phase = Phase.REST if stood or self._coach.rest_since_s is not None else Phase.SET
            return phase, TrainingSet(tuple(self._coach.going_on))
        return (Phase.REST, self._coach.sets[-1]) if self._coach.sets else (Phase.WAITING, None)

    def _set_s(self, shown: TrainingSet, phase: Phase) -> float:
        end_s = shown.end_s if phase is Phase.REST else max(shown.end_s, self._clock.session_s)
        return end_s - shown.start_s

    def _rest_s(self, shown: TrainingSet) -> float:
        since_s = self._coach.rest_since_s
        return max(0.0, self._clock.session_s - (shown.end_s if since_s is None else since_s))

    def _offered(self, now_s: float) -> list[Repetition]:
        """Return the lone movement that is offered, or all those that were unlikely as a set."""
        latest, latest_s = self._lone[-1] if self._lone else (None, -math.inf)
        if latest is None or now_s - latest_s >= LONE_OFFERED_S:
            return []
        if latest.reason == UNLIKELY and self._coach.going_on:
            return []  # the others of its set follow
        together = [
            movement
            for movement, shown_s in self._lone
            if movement is latest or (latest.reason == movement.reason == UNLIKELY and shown_s == latest_s)
        ]
        return [movement.repetition for movement in together if movement.repetition is not None]

    def _latest_not_counted(self, now_s: float) -> str | None:
        latest, shown_s = self._not_counted
        return None if latest is None or now_s - shown_s >= NOT_COUNTED_SHOWN_S else latest.reason

    def _messages(self, now_s: float) -> tuple[Message, ...]:
        self._sentences = [
            sentence for sentence in self._sentences if now_s - sentence.shown_s < MESSAGE_SHOWN_S[sentence.gravity]
        ]
        latest = sorted(self._sentences, key=lambda shown: shown.gravity is not Gravity.PROBLEM)
        return tuple(Message(shown.sentence, shown.gravity) for shown in latest[:MESSAGES])


def tally(repetitions: Sequence[Repetition], more: int = 0) -> Tally:
    """Return how many squats and hinges a set has; uncertain ones are in neither, `more` are as the last one."""
    patterns = [repetition.pattern for repetition in repetitions]
    patterns = [*patterns, *patterns[-1:] * more] if more > 0 else patterns[: len(patterns) + more]
    return Tally(patterns.count(Pattern.SQUAT), patterns.count(Pattern.HINGE))


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence, and when it came on this computer's clock."""

    sentence: str
    gravity: Gravity
    shown_s: float


class _Clock:
    """The clock of this computer and the axis of the session, side by side.

    The axis stands still while no samples come, though the person's rest goes on. So between samples it is taken to
    advance as this computer's clock does. It never goes back.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self.session_s = 0.0
        self._latest_sample_s = 0.0
        self._came_s: float | None = None

    def tick(self, now_s: float, latest_sample_s: float) -> None:
        """Take both."""
        self.now_s = now_s
        if latest_sample_s != self._latest_sample_s:
            self._latest_sample_s, self._came_s = latest_sample_s, now_s
        if self._came_s is not None:
            self.session_s = max(self.session_s, latest_sample_s + now_s - self._came_s)


class _Glide:
    """A posture that moves evenly to the newest one.

    A packet of samples brings a posture ten times a second, which is shown as jerks. The newest posture is reached when
    the next packet is due.
    """

    def __init__(self) -> None:
        self._origin: Posture | None = None
        self._newest: Posture | None = None
        self._came_s, self._takes_s = -math.inf, 0.0

    def tick(self, now_s: float, newest: Posture | None) -> Posture | None:
        """Take the time and the newest posture; return the one to show."""
        if newest != self._newest:
            since_s = now_s - self._came_s
            self._origin = self._at(now_s) if since_s < LONGEST_GLIDE_S else newest
            self._newest, self._came_s, self._takes_s = newest, now_s, since_s
        return self._at(now_s)

    def _at(self, now_s: float) -> Posture | None:
        origin, newest, passed_s = self._origin, self._newest, now_s - self._came_s
        if origin is None or newest is None or passed_s >= self._takes_s:
            return newest
        share = passed_s / self._takes_s
        return Posture(
            origin.trunk_tilt_rad + share * (newest.trunk_tilt_rad - origin.trunk_tilt_rad),
            origin.hip_drop_m + share * (newest.hip_drop_m - origin.hip_drop_m),
            newest.calm_s,
        )
