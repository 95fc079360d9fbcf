"""The commands that look back and ahead: `imu review`, `exercises`, `plan`, `learning` and `correct`.

Imports stand inside the functions, so that `imu --help` does not wait for them.
"""
# ruff: noqa: PLC0415  imports stand where they are used

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from imu.app import console_for_people, print_object, print_parts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imu.store import CorrectedSession, Correction, SessionStore

WEEKS_SHOWN = 12
"""Most weeks or days of training on the page; --json has all."""

SESSIONS_SHOWN = 20
"""Most sessions on the page of an exercise; --json has all."""

SessionNumber = Annotated[int, typer.Argument(metavar="SESSION", help="Number of the session, as imu review lists it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


class OnceEach(TyperCommand):
    """A command that takes each option once: a second one would replace the first without a word."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse an option that is given twice."""
        given = [one.partition("=")[0] for one in args if one.startswith("--")]
        given = ["--exercise" if one == "--name" else one for one in given]
        for option in given:
            if given.count(option) > 1:
                raise typer.BadParameter("give it once, and run the command again for more", param_hint=option)
        return super().parse_args(ctx, args)


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (review, exercises, plan, learning):
        app.command(context_settings={"allow_extra_args": command is exercises})(command)
    app.command(cls=OnceEach)(correct)


def complete_exercise(incomplete: str) -> list[str]:
    """Return the names that the shell offers: those of the store, then the known ones."""
    from imu.errors import ImuError
    from imu.report.exercises import exercise_histories
    from imu.store.exercises import completions
    from imu.store.home import store_path

    own: tuple[str, ...] = ()
    if store_path().exists():
        try:
            with open_store() as store:
                own = tuple(history.name for history in exercise_histories(store))
        except ImuError:
            own = ()
    return list(completions(incomplete, own))


def review(
    session: Annotated[
        int | None, typer.Argument(metavar="SESSION", help="Number of one session; without it, list all.")
    ] = None,
    *,
    as_json: AsJson = False,
    verbose: Annotated[
        bool, typer.Option("--reps", "-v", help="Show every repetition and every movement not counted.")
    ] = False,
    trends: Annotated[bool, typer.Option("--trends", help="Show the training week by week.")] = False,
    exercise: Annotated[
        str | None,
        typer.Option("--exercise", metavar="NAME", help="Show one exercise.", autocompletion=complete_exercise),
    ] = None,
    days: Annotated[bool, typer.Option("--days", help="With --trends: day by day.")] = False,
    compared: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--compare",
            metavar="BEFORE AFTER",
            help="Compare two sessions (7) or periods (2026-03, 2026-03-01..2026-03-14, 4-weeks-before, 4-weeks).",
        ),
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the session and our copy of its recording.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --delete: do not ask.")] = False,
) -> None:
    """Look back on your sessions: what you trained, when, how, and the balance of squats and hinges."""
    from imu.store.home import store_path

    alone = exercise is not None or compared is not None
    for is_wrong, sentence in (
        (delete and (session is None or trends), "--delete takes one session"),
        (yes and not delete, "--yes goes with --delete"),
        (days and not trends, "--days goes with --trends"),
        (session is not None and trends, "--trends is about all sessions; leave the number out"),
        (
            alone and (session is not None or trends or None not in (exercise, compared)),
            "--exercise and --compare stand alone, without a number or --trends",
        ),
        (verbose and (session is None or delete), "--reps shows one session: imu review 1 --reps"),
    ):
        if is_wrong:
            raise typer.BadParameter(sentence)
    if not store_path().exists():  # looking back must not create a store
        nothing_kept(session, as_json=as_json)
        return
    with open_store() as store:
        if delete and session is not None:
            _delete(store, session, yes=yes)
        elif compared is not None:
            _print_comparison(store, *compared, as_json=as_json)
        elif exercise is not None:
            _print_exercise(store, exercise, as_json=as_json)
        elif trends:
            _print_trends(store, by_days=days, as_json=as_json)
        elif as_json:
            for number in [one.id for one in store.list()] if session is None else [session]:
                _print_stored_json(store, number)
        elif session is None:
            _print_overview(store)
        else:
            print_stored(store, session, verbose=verbose)


def exercises(
    context: typer.Context,
    *,
    as_json: AsJson = False,
    unit: Annotated[
        Literal["kg", "lb"] | None,
        typer.Option("--unit", help="Your unit of loads: they are shown in it, and a bare number means it."),
    ] = None,
) -> None:
    """List your exercises: how often, how much, the heaviest set and the load that you could lift once (1RM).

    imu review --exercise NAME shows the history, the records and the estimates of one.
    """
    if context.args:
        raise typer.BadParameter(f'one exercise is shown by imu review --exercise "{" ".join(context.args)}"')
    from imu.report.exercises import exercise_histories
    from imu.report.objects import exercise_object
    from imu.report.terminal_pages import exercises_table
    from imu.store.home import store_path

    if unit is None and not store_path().exists():
        nothing_kept(None, as_json=as_json)
        return
    with open_store() as store:
        if unit is not None:
            store.show_loads_in_lb(in_lb=unit == "lb")
            typer.echo(f"Loads are in {unit} from now on, also those without a unit.", err=as_json)
        histories, in_lb = exercise_histories(store), store.loads_in_lb()
    if as_json:
        for history in histories:
            print_object(exercise_object(history))
    elif histories:
        print_parts(console_for_people(), exercises_table(histories, in_lb=in_lb))
    else:
        typer.echo('No set has an exercise yet: imu correct SESSION --exercise 1 "back squat" names that of set 1.')


def plan(
    schedule: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="A schedule or a plan (TOML), or one that ships (strength-a-b)."),
    ] = None,
    *,
    clear: Annotated[bool, typer.Option("--clear", help="Keep no schedule any more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show which plan of your schedule is due, or keep another schedule.

    Due is the plan after the one that was trained last. imu train --plan next trains it.
    """
    from imu.live.memory import loads_in_lb
    from imu.live.schedule import due_in_store, example_schedules, exercises_in_words, keep_schedule, read_schedule
    from imu.live.targets import PlanUnusable
    from imu.report.terminal_pages import labelled
    from imu.report.words import printable

    if clear and schedule is not None:
        raise typer.BadParameter("--clear stands alone", param_hint="--clear")
    examples = example_schedules()
    if schedule is not None:
        is_file = Path(schedule).exists()
        ships = schedule in examples and not is_file
        if not (is_file or ships):
            raise PlanUnusable(
                f"there is no schedule {schedule}: give a TOML file, or one that ships ({', '.join(examples)})"
            )
        keep_schedule(examples[schedule] if ships else read_schedule(Path(schedule)))
    elif clear:
        keep_schedule(None)
    due = due_in_store()
    if as_json:
        schedule_fields = {} if due is None else {"schedule": due.schedule.as_object(), "due": due.plan.as_object()}
        print_object(schedule_fields | ({} if due is None or due.day is None else {"day": due.day.isoformat()}))
    elif due is None:
        typer.echo(f"There is no schedule: imu plan FILE keeps one. These ship: {', '.join(examples)}.")
    else:
        words = [", ".join(text for text in (due.schedule.name, due.schedule.weekdays) if text)]
        due = due.in_unit(in_lb=loads_in_lb())
        lines = [(one.name or "", "; ".join(map(" ".join, exercises_in_words(one)))) for one in due.schedule.plans]
        lines += [("Due", f"{due.plan.name}, {due.when(moment_now().date())}"), ("Before", due.before)]
        lines = [(printable(label), printable(text)) for label, text in lines if text]
        print_parts(console_for_people(), *(printable(word) for word in words if word), labelled(lines))


def learning(
    *,
    as_json: AsJson = False,
    reset: Annotated[bool, typer.Option("--reset", help="Forget it, and learn from later corrections only.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --reset: do not ask.")] = False,
    switch: Annotated[
        bool | None, typer.Option("--on/--off", help="Train with learned thresholds, or without.")
    ] = None,
) -> None:
    """Show what your corrections taught, within which bounds, and whether it helps; or forget it.

    Learning moves two thresholds, for later trainings and for imu replay --learned. Stored sessions do not change.
    """
    from imu.report.terminal_pages import labelled
    from imu.report.words import learned_facts, learned_object
    from imu.store import KnownOfPerson
    from imu.store.home import store_path

    if yes and not reset:
        raise typer.BadParameter("--yes goes with --reset")
    if reset and not yes and not typer.confirm("Forget what your corrections taught? The corrections stay."):
        typer.echo("Nothing was forgotten.")
        raise typer.Exit(1)
    if store_path().exists() or reset or switch is not None:
        with open_store() as store:
            if reset:
                store.forget_person(moment_now())
            if switch is not None:
                store.switch_learning(on=switch)
            known = store.known_of_person()
    else:  # showing must not create a store
        known = KnownOfPerson()
    if as_json:
        print_object(learned_object(known))
    else:
        print_parts(console_for_people(), labelled(learned_facts(known)))


def correct(
    session: SessionNumber,
    *,
    delete_rep: Annotated[
        str | None, typer.Option("--delete-rep", metavar="REP", help="Delete a repetition that was not one.")
    ] = None,
    add_rep: Annotated[
        tuple[str, str, str] | None,
        typer.Option("--add-rep", metavar="START END PATTERN", help="Add a repetition that was not counted."),
    ] = None,
    move: Annotated[
        tuple[str, str, str] | None,
        typer.Option("--move", metavar="REP START END", help="Let a repetition begin and end at other times."),
    ] = None,
    keep: Annotated[
        str | None, typer.Option("--keep", metavar="TIME", help="Count a movement that was not counted.")
    ] = None,
    pattern: Annotated[
        tuple[str, str] | None,
        typer.Option("--pattern", metavar="WHERE PATTERN", help="Change the pattern: squat, hinge or uncertain."),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="REP", help="Begin a new set with this repetition.")
    ] = None,
    merge: Annotated[str | None, typer.Option("--merge", metavar="SET", help="Merge this set with the next.")] = None,
    name: Annotated[
        tuple[str, str] | None, typer.Option("--exercise", "--name", metavar="WHERE NAME", help="Name the exercise.")
    ] = None,
    load: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--load", metavar="WHERE LOAD", help="Enter the load with the bar: 100kg, 225lb, or 100 in your unit."
        ),
    ] = None,
    note: Annotated[tuple[str, str] | None, typer.Option("--note", metavar="WHERE TEXT", help="Write a note.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Undo the last correction.")] = False,
    redo: Annotated[bool, typer.Option("--redo", help="Restore the correction that was undone last.")] = False,
) -> None:
    """Correct counted repetitions and sets. The measured values are kept, and every correction can be undone.

    WHERE is a set (2) or a repetition. REP is a repetition of a set (2/3) or a time (65.5 or 1:05).
    An empty NAME, LOAD or TEXT removes the entry.

    You can give several corrections at once, one of each kind: either all of them are made, or none.
    """
    from imu.app import typed_corrections

    refuse_without_store(session)
    with open_store() as store:
        counted = store.load(session).corrected
        wanted: list[Correction] = []
        wanted += [typed_corrections.delete_repetition(counted, delete_rep)] if delete_rep is not None else []
        wanted += [typed_corrections.add_repetition(counted, *add_rep)] if add_rep else []
        wanted += [typed_corrections.move_repetition(counted, *move)] if move else []
        wanted += [typed_corrections.keep_movement(counted, keep)] if keep is not None else []
        wanted += [typed_corrections.change_pattern(counted, *pattern)] if pattern else []
        wanted += [typed_corrections.split_set(counted, split)] if split is not None else []
        wanted += [typed_corrections.merge_sets(counted, merge)] if merge is not None else []
        wanted += [typed_corrections.enter_exercise(counted, *name)] if name else []
        wanted += [typed_corrections.enter_load(counted, *load, in_lb=store.loads_in_lb())] if load else []
        wanted += [typed_corrections.enter_note(counted, *note)] if note else []
        if bool(wanted) + undo + redo != 1:
            raise typer.BadParameter("give a correction, or --undo, or --redo; see --help")
        if wanted:
            _make(store, session, wanted)
        else:
            _turn_back(store, session, redo=redo)
        print_stored(store, session, verbose=False)


def _make(store: SessionStore, session: int, wanted: list[Correction]) -> None:
    """Make all corrections, or none."""
    from imu.report.words import log_line

    made = store.correct_all(session, wanted, made_at=moment_now()).corrected.log[-len(wanted) :]
    for one in made:
        typer.echo(log_line(one))
    typer.echo(f"imu correct {session} --undo takes {'the last one' if len(wanted) > 1 else 'it'} back.\n")


def _turn_back(store: SessionStore, session: int, *, redo: bool) -> None:
    from imu.app.typed_corrections import turn_back
    from imu.store import CorrectionRefused

    sentence = turn_back(store, session, redo=redo)
    if sentence is None:
        what = "was undone" if redo else "was made"
        raise CorrectionRefused(f"no correction of session {session} {what}, so there is nothing to do")
    typer.echo(f"{'restored' if redo else 'undone'}: {sentence}\n")


# --- deletion --------------------------------------------------------------------------------------------------------


def _delete(store: SessionStore, number: int, *, yes: bool) -> None:
    from imu.motion.pattern import Pattern
    from imu.report.words import counted, printable
    from imu.store.home import find_recording, recordings_folder

    stored = store.load(number)
    session: CorrectedSession = stored.corrected
    recording = find_recording(stored.source, stored.content_hash, recordings_folder())
    patterns = (Pattern.SQUAT, Pattern.HINGE, Pattern.UNCERTAIN)
    typer.echo(f"Session {number} of {stored.trained_at.astimezone():%Y-%m-%d %H:%M}: ", nl=False)
    typer.echo(counted(*(session.count(pattern) for pattern in patterns)))
    typer.echo(
        f"Its recording {printable(str(recording))} is deleted too."
        if recording is not None
        else f"Its recording {printable(stored.source)} is not in the folder of this program, and stays."
    )
    if not yes and not typer.confirm("Delete it for good?"):
        typer.echo("Nothing was deleted.")
        raise typer.Exit(1)
    store.delete(number, recordings_folder())
    typer.echo(f"Session {number} is deleted.")


# --- printing --------------------------------------------------------------------------------------------------------


def _print_stored_json(store: SessionStore, number: int) -> None:
    from imu.report.objects import stored_object

    print_object(stored_object(store.load(number)))


def _print_overview(store: SessionStore) -> None:
    from imu.live.schedule import due_now
    from imu.report.exercises import sessions_in_words, stored_sets
    from imu.report.terminal_pages import balance_lines, labelled, overview_table
    from imu.report.trends import notes, stored_totals

    now, sessions = moment_now(), store.list()
    balances = [store.balance(days, now) for days in (7, 28)]
    lines = [("Note", note) for note in notes(stored_totals(store, now), now)]
    due = due_now(sessions, now)
    lines += [] if due is None else [("Due", f"{due.plan.name}, {due.when(now.date())}: imu train --plan next")]
    print_parts(
        console_for_people(),
        overview_table(sessions, sessions_in_words(stored_sets(store), in_lb=store.loads_in_lb())),
        "",
        *([labelled(lines)] if lines else []),
        balance_lines(balances, store.days_since_trained(now)),
        *_cut_off(session.source for session in sessions),
    )


def _cut_off(sources: Iterable[str]) -> list[str]:
    """Return a sentence for each training whose program was killed."""
    from imu.store.home import cut_off_recordings, recordings_folder

    recordings = cut_off_recordings(recordings_folder(), sources)
    return [f"A training was cut off and is not stored: imu replay --save '{path}' stores it." for path in recordings]


def print_stored(store: SessionStore, number: int, *, verbose: bool) -> None:
    """Print a stored session."""
    from imu.report.terminal_pages import stored_page

    print_parts(console_for_people(), stored_page(store, number, verbose=verbose))


def _print_exercise(store: SessionStore, name: str, *, as_json: bool) -> None:
    from imu.report.exercises import exercise_histories
    from imu.report.objects import exercise_object
    from imu.report.terminal_pages import exercise_page
    from imu.report.words import printable
    from imu.store.exercises import key_of, usual_name

    histories = exercise_histories(store)
    key = key_of(usual_name(name))
    history = next((one for one in histories if key_of(one.name) == key), None)
    if history is None:
        names = ", ".join(printable(one.name) for one in histories)
        there_are = f"there are: {names}" if names else "no set has an exercise yet; `imu correct` names it"
        raise typer.BadParameter(f"no set is of {printable(name)}; {there_are}", param_hint="--exercise")
    if as_json:
        print_object(exercise_object(history))
    else:
        print_parts(console_for_people(), exercise_page(history, SESSIONS_SHOWN, in_lb=store.loads_in_lb()))


def _print_comparison(store: SessionStore, before: str, after: str, *, as_json: bool) -> None:
    from imu.report.terminal_pages import comparison_table
    from imu.report.trends import compare, sides

    pair = sides(store, before, after, moment_now())
    rows = compare(*pair, in_lb=store.loads_in_lb())
    if as_json:
        for row in rows:
            print_object({name: getattr(row, name) for name in ("group", "name", "unit", "before", "after", "change")})
    else:
        print_parts(console_for_people(), comparison_table(pair[0].title, pair[1].title, rows))


def _print_trends(store: SessionStore, *, by_days: bool, as_json: bool) -> None:
    from imu.report.objects import trend_object
    from imu.report.terminal_pages import trend_page
    from imu.report.trends import Period, notes, stored_totals, trends

    now = moment_now()
    totals = stored_totals(store, now)
    period = Period.DAY if by_days else Period.WEEK
    if as_json:
        for trend in trends(totals, period, now.tzinfo, now.date()):
            print_object(trend_object(trend))
        return
    shown = trends(totals, period, now.tzinfo, now.date(), most=WEEKS_SHOWN)
    print_parts(console_for_people(), trend_page(shown, store.days_since_trained(now), notes(totals, now)))


# --- the store -------------------------------------------------------------------------------------------------------


def moment_now() -> datetime:
    """Return the moment, with this computer's time zone."""
    return datetime.now().astimezone()


def open_store() -> SessionStore:
    """Open the store of the person."""
    from imu.store import SessionStore
    from imu.store.home import store_path

    return SessionStore.open(store_path())


def refuse_without_store(session: int | None) -> None:
    """Fail if there is no store, instead of creating one."""
    from imu.errors import SessionNotFound
    from imu.store.home import home, store_path

    if not store_path().exists():
        which = "there is no session" if session is None else f"there is no session {session}"
        raise SessionNotFound(f"{which}: {home()} holds none")


def nothing_kept(session: int | None, *, as_json: bool) -> None:
    """Say that nothing is stored; of one session, fail."""
    from imu.store.home import people, person

    if session is not None:
        refuse_without_store(session)
    whose = "" if person() is None else f" of {person()}"
    others = [name for name in people() if name != person()]
    hint = f" There may be some of {', '.join(others)}: imu --person {others[0]} review." if others else ""
    typer.echo(f"No sessions{whose} yet: imu replay --save RECORDING stores one.{hint}", err=as_json)
    for sentence in [] if as_json else _cut_off(()):
        typer.echo(sentence)
