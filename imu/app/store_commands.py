"""The commands that change stored sessions or hand them over: `imu correct`, `export`, `backup` and `restore`.

Imports stand inside the functions, so that `imu --help` does not wait for them.
"""
# ruff: noqa: PLC0415  imports stand where they are used

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

import imu
from imu.app.session_commands import (
    complete_exercise,
    moment_now,
    nothing_kept,
    open_store,
    print_stored,
    refuse_without_store,
)

if TYPE_CHECKING:
    from imu.store import Correction, SessionStore

Force = Annotated[bool, typer.Option("--force", help="Replace what exists already.")]
SessionNumber = Annotated[int, typer.Argument(metavar="SESSION", help="Number of the session, as imu review lists it.")]


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
    for command in (correct, export, backup, restore):
        app.command(cls=OnceEach if command is correct else None)(command)


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
        typer.Option("--load", metavar="WHERE LOAD", help="Enter the load, bar included: 100 kg or 225 lb."),
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
        wanted += [typed_corrections.add_repetition(*add_rep)] if add_rep else []
        wanted += [typed_corrections.move_repetition(counted, *move)] if move else []
        wanted += [typed_corrections.keep_movement(counted, keep)] if keep is not None else []
        wanted += [typed_corrections.change_pattern(counted, *pattern)] if pattern else []
        wanted += [typed_corrections.split_set(counted, split)] if split is not None else []
        wanted += [typed_corrections.merge_sets(counted, merge)] if merge is not None else []
        wanted += [typed_corrections.enter_exercise(counted, *name)] if name else []
        wanted += [typed_corrections.enter_load(counted, *load)] if load else []
        wanted += [typed_corrections.enter_note(counted, *note)] if note else []
        if bool(wanted) + undo + redo != 1:
            raise typer.BadParameter("give a correction, or --undo, or --redo; see --help")
        if wanted:
            _make(store, session, wanted)
        else:
            _turn_back(store, session, redo=redo)
        print_stored(store, session, verbose=False)


def export(
    sessions: Annotated[
        list[int] | None, typer.Argument(metavar="SESSION...", help="Numbers of sessions, as imu review lists them.")
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All sessions.")] = False,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Sessions from this day.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Sessions up to this day.")
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
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="File to write; for several FIT files, a folder.")],
    force: Force = False,
) -> None:
    """Write sessions, with their corrections, for other programs or as a report.

    csv and parquet have a row for each repetition, json has what imu review --json prints,
    fit is a strength training for sports sites, html is a report to hand over: one session in full, many as a summary.
    """
    from imu.app.export import Format, export_sessions, write_report
    from imu.report.html_report import Selection, chosen_sessions

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
            write_report(store, selection, out, made_at=moment_now(), overwrite=force)
            typer.echo(out)
            return
        loaded = [store.load(number) for number in chosen_sessions(store, selection, moment_now())]
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
