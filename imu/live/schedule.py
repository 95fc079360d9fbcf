"""A schedule: plans that take turns, and which of them is due.

A schedule is a TOML file (`imu plan FILE`) with one table for each plan, and in it the tables of a plan::

    name = "Strength A/B"
    days = ["Mon", "Wed", "Fri"]     # optional

    [[plan]]
    name = "A: heavy squat"

    [[plan.exercise]]
    name = "back squat"
    sets = 5
    reps = 5

    [[plan]]
    name = "B: heavy deadlift"
    ...

Due is the plan after the one that was trained last. A plan counts as trained when a session has at least half of its
exercises, however they were named: in the plan, while training, or later. So nothing has to be ticked off, and a
training on another computer, in a terminal or imported from a file counts too.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any, Self

from imu.live.memory import last_plan, loads_in_lb, read_remembered, remember, remembered_targets
from imu.live.targets import Plan, PlanUnusable, Targets, with_unit_typed
from imu.report.words import day_of
from imu.store import SessionOverview, SessionStore
from imu.store.exercises import key_of, usual_name
from imu.store.home import store_path

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LARGEST_FILE = 1_000_000
"""Bytes in the file of a plan or schedule: 100 exercises take 20,000."""
MOST_PLANS = 20
LEAST_SHARE = 0.5
"""A session with at least this share of a plan's exercises has trained the plan."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Plans that take turns.

    Attributes
    ----------
    plans : tuple of Plan
        At least one. Each has a name of its own, and names at least one exercise.
    name : str or None
        The name of the schedule.
    days : tuple of int
        Weekdays of training, Monday is 0; empty for none in particular.
    """

    plans: tuple[Plan, ...]
    name: str | None = None
    days: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check that plans can be distinguished and recognised.

        Raises
        ------
        PlanUnusable
            If they cannot.
        """
        if not 1 <= len(self.plans) <= MOST_PLANS:
            raise PlanUnusable(f"a schedule has 1 to {MOST_PLANS} plans, not {len(self.plans)}")
        names = [plan.name for plan in self.plans]
        if None in names or len(set(names)) < len(names):
            raise PlanUnusable("each plan of a schedule needs a name of its own")
        for plan in self.plans:
            if not _exercises(plan):
                raise PlanUnusable(f"{plan.name} names no exercise: without one, nothing shows that it was trained")

    @classmethod
    def from_object(cls, given: Mapping[str, Any], where: str = "the schedule") -> Self:
        """Return the schedule of an object like the module's example; a plan alone is a schedule of one.

        Raises
        ------
        PlanUnusable
            If the object is no schedule.
        """
        if "exercise" in given:
            plan = Plan.from_object(given, where)
            return cls((plan if plan.name is not None else replace(plan, name="Plan"),), plan.name)
        unknown = sorted(set(given) - {"name", "days", "plan"})
        if unknown:
            raise PlanUnusable(f"{where} has {unknown[0]!r}; a schedule has a name, days and [[plan]] tables")
        tables, name, days = given.get("plan"), given.get("name"), given.get("days", [])
        if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
            raise PlanUnusable(f"{where} has no [[plan]] tables")
        if not isinstance(days, list) or not all(day in WEEKDAYS for day in days):
            raise PlanUnusable(f"{where}: days are some of {', '.join(WEEKDAYS)}")
        if name is not None and not (isinstance(name, str) and 0 < len(name) <= 80 and name.isprintable()):
            raise PlanUnusable(f"{where}: the name of a schedule has 1 to 80 letters in one line")
        plans = [Plan.from_object(table, f"{where}, plan {number}") for number, table in enumerate(tables, 1)]
        return cls(tuple(plans), name, tuple(sorted({WEEKDAYS.index(day) for day in days})))

    def as_object(self) -> dict[str, Any]:
        """Return the schedule as an object for JSON; `from_object` reads it back to an equal one."""
        named = {} if self.name is None else {"name": self.name}
        return {
            **named,
            "days": [WEEKDAYS[day] for day in self.days],
            "plan": [plan.as_object() for plan in self.plans],
        }

    @property
    def weekdays(self) -> str:
        """The days of training in words; empty for none in particular."""
        return ", ".join(WEEKDAYS[day] for day in self.days)


@dataclass(frozen=True, slots=True)
class Due:
    """The next training by a schedule.

    Attributes
    ----------
    schedule : Schedule
        The schedule.
    index : int
        The plan that is due, counted from 0.
    day : date or None
        When it is due; ``None`` if the schedule has no weekdays.
    trained : tuple of (int, date) or None
        The plan that was trained last and its day; ``None`` if none was.
    """

    schedule: Schedule
    index: int
    day: date | None
    trained: tuple[int, date] | None

    @property
    def plan(self) -> Plan:
        """The plan that is due."""
        return self.schedule.plans[self.index]

    @property
    def exercises(self) -> tuple[tuple[str, str], ...]:
        """Exercise and sets of the plan that is due, in words."""
        return exercises_in_words(self.plan)

    def when(self, today: date) -> str:
        """Return when it is due, in words."""
        if self.day is None:
            return "next"
        days = (self.day - today).days
        if days < 0:
            return f"was due on {day_of(self.day)}"
        return "today" if not days else "tomorrow" if days == 1 else f"on {day_of(self.day)}"

    def in_unit(self, *, in_lb: bool | None) -> Self:
        """Return the same with all loads in pounds, or in kilograms."""
        plans = tuple(plan.in_unit(in_lb=in_lb) for plan in self.schedule.plans)
        return replace(self, schedule=replace(self.schedule, plans=plans))

    @property
    def before(self) -> str:
        """Return the last training in words; empty if there was no training."""
        if self.trained is None:
            return ""
        index, day = self.trained
        return f"{self.schedule.plans[index].name} was trained on {day_of(day)}"


def due_of(schedule: Schedule, sessions: Iterable[SessionOverview], now: datetime, last: str | None = None) -> Due:
    """Return which plan of a schedule is due, and when.

    Parameters
    ----------
    schedule : Schedule
        The schedule.
    sessions : iterable of SessionOverview
        The sessions, the latest first.
    now : datetime
        Now, in the reader's time zone.
    last : str or None
        Name of the plan of the last training. It decides between plans that have the same exercises.
    """
    today, trained = now.date(), None
    for session in sessions:
        index = _plan_of(schedule, session.exercises, last)
        if index is not None:
            trained = index, session.trained_at.astimezone(now.tzinfo).date()
            break
        last = None
    index = 0 if trained is None else (trained[0] + 1) % len(schedule.plans)
    first = today if trained is None else trained[1] + timedelta(days=1)
    week = (first + timedelta(days=later) for later in range(7))
    day = next((weekday for weekday in week if weekday.weekday() in schedule.days), None)
    return Due(schedule, index, day, trained)


def exercises_in_words(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Return each exercise of a plan, and its sets, repetitions and load: ``5 × 5, 100 kg``."""
    return tuple(
        (
            exercise.exercise or "any exercise",
            ", ".join(
                part
                for part in (" × ".join(str(n) for n in (exercise.sets, exercise.repetitions) if n), exercise.load)
                if part
            ),
        )
        for exercise in plan.exercises
    )


def _plan_of(schedule: Schedule, done: Iterable[str], last: str | None) -> int | None:
    """Return the plan that a session with these exercises has trained; ``None`` if it fits no plan."""
    keys, matches = _keys(done), []
    for index, plan in enumerate(schedule.plans):
        planned = _exercises(plan)
        common = len(planned & keys)
        if common >= LEAST_SHARE * len(planned):
            matches.append((common / len(planned), common, plan.name == last, -index))
    return -max(matches)[-1] if matches else None


def _exercises(plan: Plan) -> set[str]:
    return _keys(exercise.exercise for exercise in plan.exercises if exercise.exercise is not None)


def _keys(names: Iterable[str]) -> set[str]:
    return {key_of(usual_name(name)) for name in names}


# --- kept schedules --------------------------------------------------------------------------------------------------


def kept_schedule() -> Schedule | None:
    """Return the person's schedule; ``None`` without one."""
    try:
        return Schedule.from_object(read_remembered("schedule"))
    except (TypeError, AttributeError, PlanUnusable):
        return None


def keep_schedule(schedule: Schedule | None) -> None:
    """Keep a schedule for the person in place of the one before; ``None`` for no schedule."""
    remember(lambda _: {"schedule": None if schedule is None else schedule.as_object()})


def due_now(sessions: Iterable[SessionOverview], now: datetime) -> Due | None:
    """Return the plan that is due by the person's schedule; an exercise without a load gets that of last time."""
    schedule, last = kept_schedule(), last_plan()
    if schedule is None:
        return None
    due = due_of(schedule, sessions, now, None if last is None else last.name)
    plans = tuple(_with_last_loads(plan) for plan in schedule.plans)
    return replace(due, schedule=replace(schedule, plans=plans))


def due_in_store() -> Due | None:
    """Return the plan that is due by the person's schedule and the stored sessions; ``None`` without a schedule."""
    sessions: tuple[SessionOverview, ...] = ()
    if store_path().exists():
        with SessionStore.open(store_path()) as store:
            sessions = store.list()
    return due_now(sessions, datetime.now().astimezone())


def _with_last_loads(plan: Plan) -> Plan:
    exercises = []
    for exercise in plan.exercises:
        before = (
            None if exercise.exercise is None or exercise.load_kg is not None else remembered_targets(exercise.exercise)
        )
        exercises.append(
            exercise if before is None else replace(exercise, load_kg=before.load_kg, load_in_lb=before.load_in_lb)
        )
    return replace(plan, exercises=tuple(exercises))


# --- files -----------------------------------------------------------------------------------------------------------


def read_plan(path: Path) -> Plan:
    """Read a plan from a TOML file.

    Raises
    ------
    PlanUnusable
        If the file cannot be read or holds no plan.
    """
    return Plan.from_object(toml_object(read_toml(path, "plan"), f"the plan {path}"), str(path))


def read_toml(path: Path, what: str) -> bytes:
    """Read a plan's or a schedule's file.

    Raises
    ------
    PlanUnusable
        If it cannot be read, or is too large for one.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise PlanUnusable(f"the {what} {path} cannot be read ({error.strerror or error})") from error
    if len(content) > LARGEST_FILE:
        raise PlanUnusable(f"the {what} {path} has more than {LARGEST_FILE // 1000} kB: name another file")
    return content


def toml_object(content: bytes, where: str) -> dict[str, Any]:
    """Return what the content of a TOML file holds; `where` names it in a refusal.

    Raises
    ------
    PlanUnusable
        If it is no TOML file.
    """
    try:
        return tomllib.loads(content.decode("utf-8-sig"))  # Windows writes a mark at the start
    except RecursionError as error:
        raise PlanUnusable(f"{where} is no plan: its brackets are too deep") from error
    except ValueError as error:  # of UTF-8, of TOML, or of a number with thousands of digits
        raise PlanUnusable(f"{where} is no TOML file: {str(error).partition(';')[0]}") from error


def example_plans() -> dict[str, Plan]:
    """Return the plans that ship with the program, by name."""
    return {name: Plan.from_object(table, name) for name, table in _shipped("plans.toml").items()}


def read_schedule(path: Path) -> Schedule:
    """Read a schedule from a TOML file.

    Raises
    ------
    PlanUnusable
        If the file cannot be read or holds no schedule.
    """
    return schedule_of(read_toml(path, "schedule"), str(path))


def schedule_of(content: bytes, where: str) -> Schedule:
    """Return the schedule in the content of a TOML file; `where` names it in a refusal.

    Raises
    ------
    PlanUnusable
        If it holds none.
    """
    return Schedule.from_object(toml_object(content, where), where)


def example_schedules() -> dict[str, Schedule]:
    """Return the schedules that ship with the program, by name."""
    return {name: Schedule.from_object(table, name) for name, table in _shipped("schedules.toml").items()}


def _shipped(file: str) -> dict[str, Any]:
    return tomllib.loads(resources.files("imu.live").joinpath(file).read_text(encoding="utf-8"))


# --- the plan of the command line -------------------------------------------------------------------------------------


def chosen_plan(plan: str | None, targets: Mapping[str, Any]) -> Plan | None:
    """Return the plan that the command line asks for; ``None`` without any target.

    Parameters
    ----------
    plan : str or None
        A file, the name of a plan that ships, ``next`` for the one that is due, or ``last``: of the exercise, if one
        is given.
    targets : mapping
        Options by the names of :mod:`imu.live.targets`; ``None`` for those not given. They go before those of the
        plan, except the exercise: another than that of the plan is refused. A load without a unit is in the person's.
        Without a plan, a target that is not given is that of the exercise's last training.

    Raises
    ------
    PlanUnusable
        If there is no such plan, or a target cannot be meant.
    """
    given = {key: value for key, value in targets.items() if value is not None}
    if plan is None and not given:
        return None
    in_lb = loads_in_lb()
    if "load" in given:
        given["load"] = with_unit_typed(given["load"], in_lb=in_lb)
    name = given.get("name")
    remembered = name and (remembered_targets(name) or remembered_targets(usual_name(name)))
    if plan == "last" and name is not None and remembered is None:
        raise PlanUnusable(f"there is no last training of {name} yet: leave out --plan last, or --exercise")
    if plan is not None and not (plan == "last" and remembered):
        asked = _with_targets(_named_plan(plan), given)
    else:
        base: dict[str, Any] = {} if remembered is None else remembered.as_object()
        asked = Plan((Targets.from_object({**base, **given}, "the command line"),))
    return asked if "load" in given else asked.in_unit(in_lb=in_lb)  # a load keeps the unit in which it was typed


def _named_plan(plan: str) -> Plan:
    """Return the plan of a file, one that ships, the last one, or the next of the schedule."""
    if plan == "next":
        due = due_in_store()
        if due is None:
            raise PlanUnusable("there is no schedule, so no plan is next: imu plan FILE keeps a schedule")
        return due.plan
    if plan == "last":
        last = last_plan()
        if last is None:
            raise PlanUnusable("there is no last plan: no training had one so far")
        return last
    examples, file = example_plans(), Path(plan)
    if not file.exists():
        if plan not in examples:
            ship = ", ".join(examples)
            raise PlanUnusable(f"there is no plan {plan}: give a TOML file, last, next, or one that ships ({ship})")
        return examples[plan]
    return read_plan(file)


def _with_targets(plan: Plan, given: Mapping[str, Any]) -> Plan:
    """Return the plan with other targets in each of its exercises; refuse another exercise than the plan's."""
    if len(plan.exercises) > 1 and set(given) - {"rest"}:
        option = sorted(set(given) - {"rest"})[0].replace("name", "exercise")
        raise PlanUnusable(f"the plan has {len(plan.exercises)} exercises, so --{option} belongs into its file")
    name, planned = given.get("name"), plan.exercises[0].exercise
    if name is not None and planned is not None and key_of(usual_name(name)) != key_of(usual_name(planned)):
        raise PlanUnusable(f"the plan is for {planned}, not for {name}: leave out --exercise, or --plan")
    exercises = [
        Targets.from_object({**exercise.as_object(), **given}, "the command line") for exercise in plan.exercises
    ]
    return Plan(tuple(exercises), plan.name)
