"""The command line: `imu` with its commands, and how `replay` and `evaluate` print.

Commands import what they need in their bodies, so that `imu --help` does not wait for NumPy. An `ImuError` is printed
as one sentence to standard error, with exit code 1; wrong usage is exit code 2, Ctrl-C 130.
"""
# ruff: noqa: PLC0415  imports stand where they are used
# Annotations are evaluated where they stand: as strings, typer would compile each of them for --help.

import codecs
import errno
import io
import os
import signal
import sys
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

import imu
from imu.app import (
    complain,
    console_for_people,
    file_commands,
    live_commands,
    moment,
    print_object,
    print_parts,
    quick,
    session_commands,
    spell_out,
)
from imu.app.file_commands import AccelerationUnit, AngularVelocityUnit, Columns, PlotFormat
from imu.errors import ImuError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from imu.batch.sources import Settings
    from imu.motion.personal import PersonalShift
    from imu.report.replay import Failed, Replayed
    from imu.store import SessionStore

IN_FULL = 3
"""Up to this many recordings get a page each; more would scroll away, and get a line each."""

SHOWN_ERRORS = 5
"""A batch prints this many errors; all stand in its table of recordings."""


class _Commands(TyperGroup):
    """All commands; errors and Ctrl-C end them with one sentence."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options before the command."""
        with _errors_in_a_sentence():
            return super(_Commands, quick(self, ctx)).parse_args(ctx, args)

    def get_command(self, ctx: Any, name: str) -> Any:
        """Return a command."""
        command = super().get_command(ctx, name)
        return command and quick(command, ctx)

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        with _errors_in_a_sentence():
            return super().invoke(ctx)


@contextmanager
def _errors_in_a_sentence() -> "Iterator[None]":
    try:
        yield
    except ImuError as error:
        complain(str(error))
        raise typer.Exit(1) from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            complain(f"the name of a file is too long: {str(error.filename)[:40]}…")
        elif error.errno == errno.ENOSPC:
            complain(f"{error.filename or 'the output'} cannot be written, the disk is full: free some space there")
        else:
            raise
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        complain("stopped")
        raise typer.Exit(130) from error


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich's Markdown takes longer to import than everything else that --help needs
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)

# The help is plain ASCII, which every terminal can show.
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Verbose = Annotated[bool, typer.Option("--reps", "-v", help="Show every repetition and every uncounted movement.")]
Jobs = Annotated[int, typer.Option("--jobs", min=1, metavar="N", help="Number of processes.")]


def main() -> None:
    """Run the program; the entry point of the script `imu`."""
    os.umask(0o077)  # sessions, recordings, backups and exports are the person's own
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # with two, small products wait for the other core
    codecs.register_error("imu.plain", spell_out)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="imu.plain")
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores it
            signal.signal(number, _end)
    app(prog_name="imu")


def _end(number: int, _frame: object) -> None:
    """End as after an error: workers end, and what was unpacked is deleted."""
    raise SystemExit(128 + number)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"imu {imu.__version__}")
        raise typer.Exit


def _choose_person(ctx: typer.Context, name: str | None) -> None:
    if name is None:
        return
    if not name.strip():
        raise typer.BadParameter("the name is empty: give a name, or leave --person out")
    before = os.environ.get("IMU_PERSON", "")
    os.environ["IMU_PERSON"] = name
    ctx.call_on_close(lambda: os.environ.update(IMU_PERSON=before))
    from imu.store.home import person

    try:
        person()
    except ImuError as error:
        os.environ["IMU_PERSON"] = before  # a refused option closes no context
        raise typer.BadParameter(str(error)) from error


@app.callback()
def _imu(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    who: Annotated[
        str | None,
        typer.Option(
            "--person",
            metavar="NAME",
            callback=_choose_person,
            help="Use the data of this person, where several people train: imu --person anna train.",
        ),
    ] = None,
) -> None:
    """Count and measure squats and hip hinges with an inertial sensor worn at the hip."""


@app.command()
def replay(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Recordings, exports of other apps, folders, or zips of them.")
    ],
    *,
    as_json: AsJson = False,
    verbose: Verbose = False,
    min_reps: Annotated[
        int, typer.Option("--min-reps", min=1, metavar="N", help="Least number of repetitions of a set.")
    ] = 2,
    jobs: Jobs = 1,
    save: Annotated[
        bool, typer.Option("--save", help="Store the sessions, and copies of the recordings, for imu review.")
    ] = False,
    date: Annotated[
        datetime | None,
        typer.Option(
            "--date",
            parser=moment,
            metavar="DAY",
            help="With --save: when recordings that do not say it themselves were made.",
        ),
    ] = None,
    learned: Annotated[
        bool, typer.Option("--learned", help="Use what imu learning learned from your corrections.")
    ] = False,
    plot_folder: Annotated[
        str | None, typer.Option("--plot", metavar="FOLDER", help="Draw each recording as a file in this folder.")
    ] = None,
    plot_format: Annotated[
        PlotFormat | None, typer.Option("--plot-format", help="With --plot: the kind of file, png by default.")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE", help="Write a row per repetition to this .csv or .parquet, resumable."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="ADDRESS", help="Work on this Dask scheduler; --out then names a folder."),
    ] = None,
    acc_unit: AccelerationUnit = "m/s2",
    gyr_unit: AngularVelocityUnit = "rad/s",
    columns: Columns = None,
) -> None:
    """Count and measure the repetitions in recordings.

    Up to three recordings get a page each, more get one line each.
    --reps adds every repetition. --json prints one JSON object a line for each recording, in the order given.

    --out writes tables instead: a row for each repetition, and beside it a row for each recording. The same command
    again counts only what is new or has changed.

    Sessions are stored in the folder that the variable IMU_HOME names, or else in the data folder of this system.
    """
    if date is not None and (not save or not _is_possible(date)):
        raise typer.BadParameter("goes with --save, and lies between 1970 and now", param_hint="--date")
    if plot_format is not None and plot_folder is None:
        raise typer.BadParameter("goes with --plot FOLDER", param_hint="--plot-format")
    if cluster is not None and out is None:
        raise typer.BadParameter("needs --out FOLDER, where the results go", param_hint="--cluster")
    if out is not None:
        if as_json or verbose or save or plot_folder is not None:
            raise typer.BadParameter("does not go with --json, --reps, --save or --plot", param_hint="--out")
        from imu.batch.sources import Settings

        shift = _personal_shift(learned=True) if learned else None
        settings = Settings(min_reps, acc_unit, gyr_unit, columns or {}, shift)
        raise typer.Exit(1 if _write_tables(paths, out, settings, jobs, cluster) else 0)
    from contextlib import ExitStack, closing

    from imu.recordings.folders import sources_of
    from imu.report.replay import ReplayOptions, replay_all

    options = ReplayOptions(min_reps, acc_unit, gyr_unit, columns or {}, _personal_shift(learned=learned), hashed=save)
    with ExitStack() as stack:
        sources = stack.enter_context(sources_of(paths))
        store = stack.enter_context(session_commands.open_store()) if save else None
        replays = stack.enter_context(closing(replay_all(sources, options, jobs)))
        names = [source.name for source in sources]
        results = (
            replays
            if plot_folder is None
            else file_commands.plotted(replays, plot_folder, options, plot_format or "png")
        )
        results = _dated(results, date, ask=save and not as_json and len(names) <= IN_FULL)
        if as_json:
            failed = _print_json(results, store)
        elif verbose or len(names) <= IN_FULL:
            failed = _print_pages(results, store, verbose=verbose)
        else:
            failed = _print_lines(results, store, names)
    raise typer.Exit(1 if failed else 0)


app.command()(file_commands.plot)
app.command()(file_commands.convert)


@app.command()
def evaluate(
    path: Annotated[
        str | None, typer.Argument(metavar="PATH", help="Folder of labelled recordings, or of several data sets.")
    ] = None,
    *,
    people: Annotated[str | None, typer.Option("--people", metavar="A,B", help="Score only these people.")] = None,
    as_json: AsJson = False,
    baseline: Annotated[bool, typer.Option("--baseline", help="Also score two naive counters.")] = False,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Count with weights fitted without the person, and without the data set.")
    ] = False,
    joined: Annotated[
        bool, typer.Option("--joined", help="Also join the recordings of each person into one stream.")
    ] = False,
    simulated: Annotated[
        int | None, typer.Option("--simulated", min=1, metavar="N", help="Also score N simulated sessions.")
    ] = None,
    apart: Annotated[
        bool, typer.Option("--apart", help="Simulate daily movements between the sets, not right beside them.")
    ] = False,
    continuous: Annotated[
        bool, typer.Option("--continuous", help="Also score N simulated sessions of touch-and-go sets.")
    ] = False,
    jobs: Jobs = 1,
) -> None:
    """Score the counting against labelled recordings and simulated sessions."""
    if path is None and not simulated:
        raise typer.BadParameter("give a folder, or --simulated N, or both", param_hint="PATH")
    if path is None and (people or held_out or joined):
        raise typer.BadParameter("--people, --held-out and --joined need a folder", param_hint="PATH")
    if (apart or continuous) and not simulated:
        raise typer.BadParameter("--apart and --continuous go with --simulated N", param_hint="--simulated")
    from imu.evaluation.report import as_dict, detail_tables, lines_about, main_table
    from imu.evaluation.sections import evaluate as evaluate_sections

    sections = evaluate_sections(
        path,
        people=people,
        baseline=baseline,
        held_out=held_out,
        joined=joined,
        simulated=simulated or 0,
        apart=apart,
        continuous=continuous,
        jobs=jobs,
    )
    failures = [failure for section in sections for failure in section.failures]
    for failure in failures:
        complain(f"{failure.recording}: {failure.reason}")
    if as_json:
        print_object(as_dict(sections))
    else:
        details = detail_tables(sections[0]) if len(sections) == 1 else []
        print_parts(console_for_people(), *lines_about(sections), "", main_table(sections), *details)
    raise typer.Exit(1 if failures else 0)


# --- printing replays; each returns how many recordings failed -------------------------------------------------------


def _print_json(results: "Iterable[Replayed | Failed]", store: "SessionStore | None") -> int:
    from imu.report.objects import session_object
    from imu.report.replay import Failed

    failed = 0
    for result in results:
        if isinstance(result, Failed):
            failed += 1
            print_object({"recording": result.name, "error": result.reason})
            continue
        number = _keep(result, store)
        of_store = {} if number is None else {"session": number}
        of_file = {} if result.damaged is None else {"damaged": result.damaged}
        print_object(session_object(result.name, result.summary) | of_file | of_store)
    return failed


def _print_pages(results: "Iterable[Replayed | Failed]", store: "SessionStore | None", *, verbose: bool) -> int:
    from imu.report.replay import Failed
    from imu.report.session_view import view_of_replayed
    from imu.report.terminal_pages import session_page

    console, failed = console_for_people(), 0
    for position, result in enumerate(results):
        if isinstance(result, Failed):
            failed += 1
            complain(f"{result.name}: {result.reason}")
            continue
        page = session_page(view_of_replayed(result, _keep(result, store)), verbose=verbose)
        print_parts(console, *([""] if position else []), page)
    return failed


def _print_lines(results: "Iterable[Replayed | Failed]", store: "SessionStore | None", names: list[str]) -> int:
    from imu.report.replay import Failed
    from imu.report.terminal_pages import OneLineEach

    console, failed = console_for_people(), 0
    table = OneLineEach(names, console.width)
    print_parts(console, table.heading())
    for result in results:
        if isinstance(result, Failed):
            failed += 1
            complain(f"{result.name}: {result.reason}")
            continue
        print_parts(console, table.line(result, session_id=_keep(result, store)))
    print_parts(console, "", table.closing(failed))
    return failed


@contextmanager
def _progress() -> "Iterator[Callable[[int, int], None] | None]":
    """Give a function that moves a progress bar; None where no person watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _write_tables(paths: list[str], out: str, settings: "Settings", jobs: int, cluster: str | None) -> int:
    """Count many recordings into tables, with a progress bar where a person watches."""
    from imu.batch import run_batch
    from imu.report.words import number_of

    with _progress() as progress:
        rows, earlier = run_batch(paths, out, settings, jobs=jobs, cluster=cluster, progress=progress)
    failed = [row for row in rows if row.get("error")]
    for row in failed[:SHOWN_ERRORS]:
        complain(f"{row['recording']}: {row['error']}")
    if len(failed) > SHOWN_ERRORS:
        complain(f"{len(failed) - SHOWN_ERRORS} more errors stand in the table of recordings")
    counted = [row for row in rows if not row.get("error")]
    repetitions = sum(int(row[name] or 0) for row in counted for name in ("squat", "hinge", "uncertain"))
    parts = [f"{number_of(len(counted), 'recording')}, {number_of(repetitions, 'repetition')}"]
    parts += [f"{number_of(earlier, 'recording')} counted before"] if earlier else []
    parts += [f"{len(failed)} not counted"] if failed else []
    print(f"{out}: {', '.join(parts)}", flush=True)
    return len(failed)


# --- the store -------------------------------------------------------------------------------------------------------


def _personal_shift(*, learned: bool) -> "PersonalShift":
    """Return the shifts learned from the person's corrections, or none."""
    from imu.motion.personal import PersonalShift

    if not learned:
        return PersonalShift()
    from imu.store.home import store_path

    if not store_path().exists():
        return PersonalShift()
    with session_commands.open_store() as store:
        return store.known_of_person().shift


def _dated(
    results: "Iterable[Replayed | Failed]", date: datetime | None, *, ask: bool
) -> "Iterator[Replayed | Failed]":
    """Give recordings that do not say when they were made the date of the command line, or ask for it."""
    from dataclasses import replace

    from imu.report.replay import Failed

    for result in results:
        if isinstance(result, Failed) or result.started_at is not None:
            yield result
            continue
        made = date
        while made is None and ask and sys.stdin.isatty():
            typed = typer.prompt(f"When was {result.name} recorded?", default=f"{datetime.now():%Y-%m-%d %H:%M}")
            with suppress(typer.BadParameter):
                meant = moment(typed)
                made = meant if _is_possible(meant) else None
        yield result if made is None else replace(result, started_at=made.astimezone())


def _is_possible(moment: datetime) -> bool:
    """Whether something can have been recorded then."""
    from imu.report.replay import is_possible_start

    return is_possible_start(moment)


def _keep(replayed: "Replayed", store: "SessionStore | None") -> int | None:
    """Store a session if there is a store; return its number."""
    if store is None:
        return None
    from imu.live.memory import keep_replay

    return keep_replay(replayed, store, imu.__version__)


session_commands.add_commands(app)
for command in (file_commands.export, file_commands.backup, file_commands.restore):
    app.command()(command)
live_commands.add_commands(app)


if __name__ == "__main__":
    main()
