"""The command line: what a person or another program asks for, and how it is printed.

Commands import what they need in their bodies, for `imu --help` must not wait for NumPy. What can be told in one
sentence (`ImuError`) goes to standard error with exit code 1; wrong usage is exit code 2, Ctrl-C 130.
"""
# ruff: noqa: PLC0415  imports stand where they are used

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from imu.app import live_commands, session_commands
from imu.app.output import complain, console_for_people, print_object, print_parts, software_version, spell_out
from imu.errors import ImuError
from imu.store.home import person, store_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imu.motion.personal import PersonalShift
    from imu.report.replay import Failed, Replayed
    from imu.store import SessionStore

IN_FULL = 3
"""Up to this many recordings are shown in full; more would scroll away, and get a line each."""


class _Commands(TyperGroup):
    """All commands; whatever ends one of them early is told in one sentence."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except ImuError as error:
            complain(str(error))
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            complain("stopped")
            raise typer.Exit(130) from error


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)

# The help is plain ASCII, which every terminal can show.
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Verbose = Annotated[bool, typer.Option("--reps", "-v", help="Show every repetition and every movement not counted.")]
Jobs = Annotated[int, typer.Option("--jobs", min=1, metavar="N", help="Processes to work with.")]


def main() -> None:
    """Run the program; the entry point of the script `imu`."""
    codecs.register_error("imu.plain", spell_out)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="imu.plain")
    app(prog_name="imu")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"imu {software_version()}")
        raise typer.Exit


def _choose_person(ctx: typer.Context, name: str | None) -> None:
    if name is None:
        return
    if not name.strip():
        raise typer.BadParameter("it is empty: say whose data, or leave --person out")
    before = os.environ.get("IMU_PERSON", "")
    os.environ["IMU_PERSON"] = name
    ctx.call_on_close(lambda: os.environ.update(IMU_PERSON=before))
    try:
        person()
    except ImuError as error:
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
            help="Whose data, where several people train: imu --person anna train.",
        ),
    ] = None,
) -> None:
    """Count squats and hip hinges from an inertial sensor worn at the hip, and measure how they were done."""


@app.command()
def replay(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Recordings, ours or as other apps export them, or folders.")
    ],
    *,
    as_json: AsJson = False,
    verbose: Verbose = False,
    min_reps: Annotated[
        int, typer.Option("--min-reps", min=1, metavar="N", help="Fewer repetitions than this make no set.")
    ] = 2,
    jobs: Jobs = 1,
    save: Annotated[bool, typer.Option("--save", help="Keep the sessions, for imu review.")] = False,
    learned: Annotated[
        bool, typer.Option("--learned", help="Count as your corrections taught: see imu learning.")
    ] = False,
    acc_unit: Annotated[
        Literal["m/s2", "g"], typer.Option("--acc-unit", help="Unit of acceleration in the recordings.")
    ] = "m/s2",
    gyr_unit: Annotated[
        Literal["rad/s", "deg/s"], typer.Option("--gyr-unit", help="Unit of angular velocity in the recordings.")
    ] = "rad/s",
) -> None:
    """Count and measure what is in recordings, by the same code as live.

    Up to three recordings are shown in full, more get one line each.
    With --reps all are shown in full, with every repetition.
    With --json there is one line with one object for each, in the order given.

    Sessions are kept in the folder that the variable IMU_HOME names,
    or else where this system keeps a person's data.
    """
    from contextlib import closing, nullcontext

    from imu.report.replay import ReplayOptions, names_of_recordings, replay_all

    names = names_of_recordings(paths)
    options = ReplayOptions(min_reps, acc_unit, gyr_unit, _personal_shift(learned=learned), hashed=save)
    kept_in = _open_store() if save else nullcontext()
    with kept_in as store, closing(replay_all(names, options, jobs)) as results:
        if as_json:
            failed = _print_json(results, store)
        elif verbose or len(names) <= IN_FULL:
            failed = _print_pages(results, store, verbose=verbose)
        else:
            failed = _print_lines(results, store, names)
    raise typer.Exit(1 if failed else 0)


@app.command()
def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="A recording of any kind that imu replay reads.")],
    target: Annotated[str, typer.Argument(metavar="OUT", help="File to write: .csv, .csv.gz or .parquet.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it is there.")] = False,
    acc_unit: Annotated[Literal["m/s2", "g"], typer.Option("--acc-unit", help="Unit of acceleration in IN.")] = "m/s2",
    gyr_unit: Annotated[
        Literal["rad/s", "deg/s"], typer.Option("--gyr-unit", help="Unit of angular velocity in IN.")
    ] = "rad/s",
) -> None:
    """Write a recording, whatever app made it, in this program's own format; it replays to the same sets."""
    from pathlib import Path

    from imu.recordings.conversion import convert

    done = convert(Path(source), Path(target), force=force, acceleration_unit=acc_unit, angular_velocity_unit=gyr_unit)
    typer.echo(f"{target}: {done.recording.rows} rows at {done.recording.sampling_rate_hz:.4g} Hz")


@app.command()
def evaluate(
    path: Annotated[
        str | None, typer.Argument(metavar="PATH", help="Folder of labelled recordings, or of several such folders.")
    ] = None,
    *,
    people: Annotated[str | None, typer.Option("--people", metavar="A,B", help="Only these people.")] = None,
    as_json: AsJson = False,
    baseline: Annotated[bool, typer.Option("--baseline", help="Score two naive scripts too, to compare with.")] = False,
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
        bool, typer.Option("--apart", help="Keep daily movements between the simulated sets, not right beside them.")
    ] = False,
    continuous: Annotated[
        bool, typer.Option("--continuous", help="Also score N simulated sessions of touch-and-go sets.")
    ] = False,
    jobs: Jobs = 1,
) -> None:
    """Score the counting against recordings whose truth is known."""
    if path is None and not simulated:
        raise typer.BadParameter("give a folder, or --simulated N, or both", param_hint="PATH")
    if path is None and (people or held_out or joined):
        raise typer.BadParameter("--people, --held-out and --joined need a folder", param_hint="PATH")
    if (apart or continuous) and not simulated:
        raise typer.BadParameter("--apart and --continuous go with --simulated N", param_hint="--simulated")
    from imu.app.evaluate import run_evaluation

    failures = run_evaluation(
        path,
        people=people,
        as_json=as_json,
        baseline=baseline,
        held_out=held_out,
        joined=joined,
        simulated=simulated or 0,
        apart=apart,
        continuous=continuous,
        jobs=jobs,
    )
    raise typer.Exit(1 if failures else 0)


# --- printing replays; each returns how many recordings failed -------------------------------------------------------


def _print_json(results: Iterable[Replayed | Failed], store: SessionStore | None) -> int:
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


def _print_pages(results: Iterable[Replayed | Failed], store: SessionStore | None, *, verbose: bool) -> int:
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


def _print_lines(results: Iterable[Replayed | Failed], store: SessionStore | None, names: list[str]) -> int:
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


# --- the store -------------------------------------------------------------------------------------------------------


def _open_store() -> SessionStore:
    from imu.store import SessionStore

    return SessionStore.open(store_path())


def _personal_shift(*, learned: bool) -> PersonalShift:
    """Return what was learnt of the person, if that is wanted."""
    from imu.motion.personal import PersonalShift

    if not learned or not store_path().exists():
        return PersonalShift()
    with _open_store() as store:
        return store.known_of_person().shift


def _keep(replayed: Replayed, store: SessionStore | None) -> int | None:
    """Keep a session if it was asked for; return its number."""
    if store is None:
        return None
    from imu.report.replay import keep_replayed

    return keep_replayed(replayed, store, software_version())


session_commands.add_commands(app)
live_commands.add_commands(app)


if __name__ == "__main__":
    main()
