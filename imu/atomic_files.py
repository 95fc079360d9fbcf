"""Files that are there whole or not at all, and that never replace another one by accident.

The content goes to a temporary file beside the wanted one first, reaches the disk, and then takes its place in one
step.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from imu.errors import FileThere, NotWritten


@contextmanager
def new_file(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Provide a temporary path to write to; at the end it becomes `path`, and an error leaves nothing of it.

    Parameters
    ----------
    path : Path
        The wanted file. Its folder is made if it does not exist.
    overwrite : bool
        Whether it may replace an existing file.

    Raises
    ------
    FileThere
        If there is a file and it must not be replaced: checked before anything is written, and again at the end.
    NotWritten
        If it cannot be written.
    """
    if path.is_dir() or (path.exists() and not overwrite):
        raise _there(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot(path, error) from error
    try:
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


def write_bytes(path: Path, content: bytes, *, overwrite: bool = False) -> None:
    """Write a small file in one go; raises as `new_file` does."""
    with new_file(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(content)


def _reach_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _put_in_place(temporary: Path, path: Path, *, overwrite: bool) -> None:
    """Rename; without `overwrite` in a way that fails if another program has made the file meanwhile."""
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
    return NotWritten(
        f"{path} cannot be written ({error.strerror or error}); free some space there or name another place"
    )


def _there(path: Path) -> FileThere:
    return FileThere(f"{path} is there already and was left alone; name another place, or say --force")
