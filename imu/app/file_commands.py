"""The commands that write files: `imu plot`, `convert`, `export`, `backup` and `restore`, and `imu replay --plot`.

Imports stand inside the functions, so that `imu --help` does not wait for them. The drawing itself is in
:mod:`imu.report.curves`; here are names of files and their sources.
"""
# ruff: noqa: PLC0415  imports stand where they are used
# Annotations are evaluated where they stand: as strings, typer would compile each of them for --help.

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import imu
from imu.app import day
from imu.app.session_commands import complete_exercise, moment_now, nothing_kept, open_store, refuse_without_store
from imu.errors import ImuError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from imu.report.replay import Failed, Replayed, ReplayOptions
    from imu.store import StoredSession

Force = Annotated[bool, typer.Option("--force", help="Replace what exists already.")]
AccelerationUnit = Annotated[
    Literal["m/s2", "g"], typer.Option("--acc-unit", help="Unit of acceleration in the recording.")
]
AngularVelocityUnit = Annotated[
    Literal["rad/s", "deg/s"], typer.Option("--gyr-unit", help="Unit of angular velocity in the recording.")
]
PlotFormat = Literal["png", "svg", "pdf", "html"]


def _names_of_columns(text: str) -> dict[str, str]:
    from imu.recordings.checks import columns_in

    try:
        return columns_in(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Columns = Annotated[
    dict[str, str] | None,
    typer.Option(
        "--columns",
        parser=_names_of_columns,
        metavar="acc_x=NAME,...",
        help="Other names of the columns in the recording.",
    ),
]


def plot(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RECORDING|SESSION|EXERCISE|trends",
            help="A recording; the number of a session or the name of an exercise of imu review; or trends.",
        ),
    ],
    *,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE", help="A .png, .svg, .pdf or .html. Default: the name with .png."),
    ] = None,
    only_set: Annotated[int | None, typer.Option("--set", min=1, metavar="N", help="Draw only this set.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    acc_unit: AccelerationUnit = "m/s2",
    gyr_unit: AngularVelocityUnit = "rad/s",
    columns: Columns = None,
) -> None:
    """Draw a recording, a session, an exercise over its sessions, or the trends of all training.

    The drawing of a recording or session shows trunk angle, hip height and hip velocity over time, with repetitions
    and uncounted movements. --set draws the repetitions of one set over each other. A session is drawn with its
    corrections. An exercise has repetitions, load and volume; trends have repetitions, angle and speed of each week.
    """
    from contextlib import ExitStack

    from imu.recordings.folders import only_source
    from imu.report.curves import draw_session, draw_set, recording_curves, save_figure
    from imu.report.replay import Failed, ReplayOptions, replay
    from imu.report.session_view import view_of_replayed, view_of_stored
    from imu.report.words import number_of
    from imu.store import SessionStore
    from imu.store.home import store_path

    _silence_matplotlib()
    is_file = Path(source).exists()
    long_term = None if is_file or source.isdecimal() else _long_term_drawing(source)
    if long_term is None and not is_file and not source.isdecimal() and Path(source).stem == source:
        raise ImuError(f"{source}: there is no such file, and no exercise of this name in `imu exercises`")
    target = Path(out or (f"session_{source}.png" if not is_file and source.isdecimal() else _file_name(source)))
    if target.exists() and not force:
        raise ImuError(f"{target} exists already: name another file with --out, or replace it with --force")
    if long_term is not None:
        if only_set is not None:
            raise typer.BadParameter("goes with a recording or a session", param_hint="--set")
        save_figure(long_term[0], target)
        typer.echo(f"{target}: {long_term[1]}")
        return
    options = ReplayOptions(acceleration_unit=acc_unit, angular_velocity_unit=gyr_unit, columns=columns or {})
    with ExitStack() as opened:
        if source.isdecimal() and not is_file:
            with SessionStore.open(store_path()) as store:
                stored, in_lb = store.load(int(source)), store.loads_in_lb()
            recording, view, summary = _recording_of(stored), view_of_stored(stored, in_lb=in_lb), stored.summary
        else:
            one = opened.enter_context(only_source(source))
            replayed = replay(one, options)
            if isinstance(replayed, Failed):
                raise ImuError(f"{source}: {replayed.reason}")
            recording, view, summary = one.path, view_of_replayed(replayed, None), replayed.summary
        curves = recording_curves(recording, summary, options)
    save_figure(draw_session(curves, view) if only_set is None else draw_set(curves, view, only_set), target)
    shown = view.counted if only_set is None else f"{number_of(len(view.sets[only_set - 1].repetitions), 'repetition')}"
    typer.echo(f"{target}: {shown}")


def plotted(
    results: "Iterable[Replayed | Failed]", folder: str, options: "ReplayOptions", form: PlotFormat
) -> "Iterator[Replayed | Failed]":
    """Draw each recording as a file in a folder, then pass its result on."""
    from imu.report.curves import draw_session, recording_curves, save_figure
    from imu.report.replay import Failed
    from imu.report.session_view import view_of_replayed

    _silence_matplotlib()
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImuError(f"{folder} cannot be made ({error.strerror}): name another folder with --plot") from error
    drawn: set[Path] = set()
    for result in results:
        if not isinstance(result, Failed):
            target = Path(folder, _file_name(result.name, form))
            number = 1
            while target in drawn:  # two recordings of the same name in two folders
                number += 1
                target = Path(folder, f"{number}_{_file_name(result.name, form)}")
            drawn.add(target)
            curves = recording_curves(result.path, result.summary, options)
            save_figure(draw_session(curves, view_of_replayed(result, None)), target)
        yield result


def _long_term_drawing(name: str) -> "tuple[Figure, str] | None":
    """Return the drawing of the trends or of an exercise, and what it shows in words; None for any other name."""
    from datetime import UTC, datetime

    from imu.report.curves import draw_exercise, draw_trends
    from imu.report.exercises import exercise_histories
    from imu.report.trends import Period, stored_totals, trends
    from imu.report.words import number_of
    from imu.store import SessionStore
    from imu.store.home import store_path

    if not store_path().exists():
        if name == "trends":
            raise ImuError("no sessions are stored yet, so no trend can be drawn")
        return None
    now = datetime.now(UTC)
    with SessionStore.open(store_path()) as store:
        totals, histories, in_lb = stored_totals(store, now), exercise_histories(store), store.loads_in_lb()
    if name == "trends":
        weeks = trends(totals, Period.WEEK, None, now.astimezone().date())
        return draw_trends(weeks), number_of(len(weeks), "week")
    history = next((one for one in histories if one.name.casefold() == name.strip().casefold()), None)
    return (
        None if history is None else (draw_exercise(history, in_lb=in_lb), number_of(len(history.sessions), "session"))
    )


def _silence_matplotlib() -> None:
    """Keep Matplotlib's advice on its caches and fonts from the person, who asked for a drawing."""
    import logging

    logging.getLogger("matplotlib").setLevel(logging.ERROR)


def _file_name(recording: str, form: PlotFormat = "png") -> str:
    name = Path(recording).resolve().name
    for suffix in (".gz", ".csv", ".parquet", ".mcap", ".zip", ".json", ".tsv"):
        name = name.removesuffix(suffix)
    return f"{name}.{form}"


def _recording_of(stored: "StoredSession") -> Path:
    """Return where the recording of a session is."""
    from imu.store.home import recording_of, recordings_folder

    recording = recording_of(stored.source, stored.content_hash, recordings_folder())
    if recording is None:
        raise ImuError(f"the recording of session {stored.id} is no longer at {stored.source}, so it cannot be drawn")
    return recording


def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="A recording in any form that imu replay reads.")],
    target: Annotated[str, typer.Argument(metavar="OUT", help="File to write: .csv, .csv.gz or .parquet.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")] = False,
    acc_unit: AccelerationUnit = "m/s2",
    gyr_unit: AngularVelocityUnit = "rad/s",
    columns: Columns = None,
) -> None:
    """Convert a recording of any app to this program's own format.

    The new file replays to the same sets.
    """
    from imu.recordings.conversion import convert

    recording = convert(
        source,
        Path(target),
        force=force,
        acceleration_unit=acc_unit,
        angular_velocity_unit=gyr_unit,
        columns=columns,
    )
    typer.echo(f"{target}: {recording.rows} rows at {recording.sampling_rate_hz:.4g} Hz")


def export(
    sessions: Annotated[
        list[int] | None, typer.Argument(metavar="SESSION...", help="Numbers of sessions, as imu review lists them.")
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All sessions.")] = False,
    first: Annotated[
        datetime | None, typer.Option("--from", parser=day, metavar="DAY", help="Sessions from this day.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", parser=day, metavar="DAY", help="Sessions up to this day.")
    ] = None,
    exercise: Annotated[
        str | None,
        typer.Option(
            "--exercise",
            metavar="NAME",
            help="Sessions with it; a report shows it alone.",
            autocompletion=complete_exercise,
        ),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Whose report it is.")] = "",
    form: Annotated[
        Literal["csv", "parquet", "json", "fit", "html"] | None,
        typer.Option("--format", help="The format; without it, the ending of PATH."),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="PATH",
            help="File to write, made with its folder; for several FIT files, a folder; - prints.",
        ),
    ],
    force: Force = False,
) -> None:
    """Write sessions, with their corrections, for other programs or as a report.

    csv and parquet have a row for each repetition, json has what imu review --json prints; all name recordings without
    their folders.
    fit is a strength training for sports sites, html is a report to hand over: one session in full, many as a summary.
    """
    from imu.app.export import Format, export_sessions, write_report
    from imu.report.html_report import Selection, chosen_sessions, html_report

    wanted = form or out.suffix.removeprefix(".").lower()
    if wanted not in list(Format):
        raise typer.BadParameter("give --format csv, parquet, json, fit or html", param_hint="--format")
    some = first is not None or last is not None or exercise is not None
    if bool(sessions) == (everything or some):
        raise typer.BadParameter(
            "give the numbers of sessions, or --all, --from, --to, --exercise", param_hint="SESSION"
        )
    refuse_without_store(sessions[0] if sessions else None)
    selection = Selection(tuple(sessions or ()), first and first.date(), last and last.date(), exercise, name)
    with open_store() as store:
        if not store.list():
            nothing_kept(None, as_json=True)
            raise typer.Exit(1)
        if Format(wanted) is Format.HTML:
            if str(out) == "-":
                typer.echo(html_report(store, selection, moment_now()).encode(), nl=False)
                return
            write_report(store, selection, out, made_at=moment_now(), overwrite=force)
            typer.echo(out)
            return
        loaded = [store.load(number) for number in chosen_sessions(store, selection, moment_now())]
    if str(out) == "-":
        with TemporaryDirectory() as folder:
            (file,) = export_sessions(loaded, Format(wanted), Path(folder) / f"sessions.{wanted}")
            typer.echo(file.read_bytes(), nl=False)
        return
    files = export_sessions(loaded, Format(wanted), out, overwrite=force)
    for file in files:
        typer.echo(file)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The zip to write; with --everyone, a folder.")],
    *,
    everyone: Annotated[bool, typer.Option("--everyone", help="A zip for each person, in the folder FILE.")] = False,
    force: Force = False,
) -> None:
    """Write all sessions and recordings to one file."""
    from datetime import UTC

    from imu.report.words import number_of
    from imu.store.backup import write_backup
    from imu.store.home import home, homes, people, person

    if everyone and person() is not None:
        raise typer.BadParameter("--everyone and --person exclude each other", param_hint="--everyone")
    owners = {name: folder for name, folder in homes().items() if (folder / "sessions.db").is_file()}
    targets = {file / f"{name}.zip": folder for name, folder in owners.items()} if everyone else {}
    for target, folder in (targets or {file: home()}).items():
        sessions, recordings = write_backup(
            folder, target, made_at=datetime.now(UTC), software_version=imu.__version__, overwrite=force
        )
        typer.echo(f"{target}: {number_of(sessions, 'session')} and {number_of(recordings, 'recording file')}")
    if not everyone and person() is None and (others := people()):
        typer.echo(f"Not in it: the sessions of {', '.join(others)}; imu backup --everyone FOLDER writes all.")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A zip that imu backup wrote.")], *, force: Force = False
) -> None:
    """Bring back a backup.

    Nothing changes unless the whole file is sound. With --force, your present sessions
    and recordings are moved into a folder beside, never deleted.
    """
    from imu.report.words import number_of
    from imu.store.backup import restore_backup
    from imu.store.home import home

    done = restore_backup(file, home(), now=datetime.now().astimezone(), force=force)
    sentence = f"restored {number_of(done.sessions, 'session')} and {number_of(done.recordings, 'recording file')}"
    typer.echo(sentence if done.before is None else f"{sentence}; the earlier files are in {done.before}")
