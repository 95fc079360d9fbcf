"""Write files completely or not at all, and never replace another file by accident.

The content goes to a temporary file beside the wanted one, reaches the disk, and is then put in its place in one step.
A killed program leaves its temporary file behind; `sweep` removes such leftovers.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from imu.errors import FileThere, NotWritten

LEFTOVER_AGE_S = 3600.0
"""A temporary file or folder that was not written to for an hour is a leftover: no write takes that long."""
LONGEST_LOCK_S = 10.0
"""A write under a lock takes milliseconds, on a slow disk a second; a training that waits takes no samples."""
_WAYS_OUT = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some space there",
    errno.EACCES: "allow that",
    errno.EPERM: "allow that",
}
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.part(\.db)?")


@contextmanager
def new_file(path: Path, *, overwrite: bool = False, mode: int | None = None) -> Iterator[Path]:
    """Give a temporary path to write to; at the end it becomes `path`, and on an error it is removed.

    Parameters
    ----------
    path : Path
        The wanted file. Its folder is created if it does not exist.
    overwrite : bool
        Whether it may replace an existing file.
    mode : int or None
        Permissions from the first byte on, as 0o600 for its owner alone; None for the system's usual ones.

    Raises
    ------
    FileThere
        If the file exists and must not be replaced. This is checked before anything is written, and again at the end.
    NotWritten
        If it cannot be written, or is a device or a pipe.
    """
    if path.is_dir() or (path.exists() and not overwrite):
        raise _there(path)
    if path.exists() and not path.is_file():
        raise NotWritten(f"{path} is no file and was left alone: name a file to write")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot(path, error) from error
    sweep(path.parent)
    try:
        if mode is not None:
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        yield temporary
        _reach_disk(temporary)
        _put_in_place(temporary, path, overwrite=overwrite)
    except FileExistsError as error:
        raise _there(path) from error
    except OSError as error:
        raise _cannot(path, error) from error
    finally:
        with suppress(OSError):  # it is in its place, or was never made
            temporary.unlink()


def write_bytes(path: Path, content: bytes, *, overwrite: bool = False, mode: int | None = None) -> None:
    """Write a small file in one step; it raises what `new_file` raises."""
    with new_file(path, overwrite=overwrite, mode=mode) as temporary:
        temporary.write_bytes(content)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other programs and threads that lock `path` waiting; an empty file beside it bears the lock.

    They wait for `LONGEST_LOCK_S` at most and then go on, as one that was stopped may keep its lock for days.

    Raises
    ------
    OSError
        If its folder cannot be written.
    """
    with path.with_name(f".{path.name}.lock").open("ab") as file:
        until_s = time.monotonic() + LONGEST_LOCK_S
        while not _lock(file.fileno()) and time.monotonic() < until_s:
            time.sleep(0.01)
        yield  # closing the file ends the lock


def _lock(descriptor: int) -> bool:
    """Lock a file at once; return whether no other has the lock."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # another one has the lock, or this file system has none
        return error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
    return True


def sweep(folder: Path, unpacked: str | None = None) -> None:
    """Remove the leftovers of killed writes from a folder, but nothing younger than `LEFTOVER_AGE_S`.

    Parameters
    ----------
    folder : Path
        Need not exist.
    unpacked : str or None
        Beginning of the names of temporary folders, which are removed too.
    """
    with suppress(OSError):  # what cannot be removed stays; the next sweep tries again
        for entry in os.scandir(folder):
            is_folder = unpacked is not None and entry.name.startswith(unpacked) and entry.is_dir(follow_symlinks=False)
            is_file = _TEMPORARY.fullmatch(entry.name) is not None and entry.is_file(follow_symlinks=False)
            if (is_folder or is_file) and time.time() - entry.stat().st_mtime > LEFTOVER_AGE_S:
                if is_folder:
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    Path(entry.path).unlink()


def make_private(home: Path) -> None:
    """Keep a folder and all that is in it to its owner: folders 0700, files 0600; nothing is made.

    Earlier versions left them readable by everyone. Links are not followed, so that nothing outside changes.
    """
    with suppress(OSError):  # of another owner, or a file system without rights
        for folder, _, files in os.walk(home):
            if stat.S_IMODE(os.lstat(folder).st_mode) & 0o077:
                Path(folder).chmod(0o700)
            for name in files:
                path = Path(folder, name)
                mode = path.lstat().st_mode
                if stat.S_ISREG(mode) and mode & 0o077:
                    path.chmod(0o600)


def way_out(error: OSError) -> str:
    """Return what helps against an error of writing, in a few words."""
    return _WAYS_OUT.get(error.errno or 0, "mend that")


def _reach_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _put_in_place(temporary: Path, path: Path, *, overwrite: bool) -> None:
    """Rename; without `overwrite` in a way that fails if another program has created the file meanwhile."""
    if overwrite:
        temporary.replace(path)
    elif os.name == "nt":
        temporary.rename(path)  # there, renaming fails where a file is
    else:
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            raise
        except OSError:  # a file system without links, as on a memory stick
            if path.exists():
                raise FileExistsError from None
            temporary.rename(path)


def _cannot(path: Path, error: OSError) -> NotWritten:
    why = error.strerror or error
    return NotWritten(f"{path} cannot be written ({why}): {way_out(error)}, or name another place")


def _there(path: Path) -> FileThere:
    return FileThere(f"{path} exists already and was left alone; name another file, or use --force")
