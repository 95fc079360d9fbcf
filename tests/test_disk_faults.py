"""Save, correct, back up, restore and export: killed at each file operation, and on a disk that is full from there on.

A library in C takes the place of the system's ``write``, ``rename`` and so on, for SQLite too. A forked process carries
out one command and is killed, or finds the disk full, at its operation number n; then another process looks at what is
left. n goes up until the command ends before it. The disk is full for every third n only, as each takes as long.

``python tests/test_disk_faults.py FOLDER`` is the process that forks; the tests start it with the library loaded.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import traceback
import zipfile
from pathlib import Path

import pytest
from builders import HINGE, NOW, SQUAT, contents, keep, query, summary

from imu.app.export import Format, export_sessions
from imu.errors import ImuError
from imu.store import CorrectionRefused, NameExercise, SessionStore, WriteNote
from imu.store.backup import restore_backup, write_backup

KILL, FULL = 1, 2
STEPS = {KILL: 1, FULL: 3}
MOST = 500
"""No command has as many operations."""

LIBRARY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static int mode;
static long left;

void arm(int wanted, long operation) { mode = wanted; left = operation; }

/* Count an operation; return whether the disk is full for it. */
static int fault(int needs_room) {
    if (mode == 0 || --left > 0) return 0;
    if (mode == 1) kill(getpid(), SIGKILL);
    if (needs_room) errno = ENOSPC;
    return needs_room;
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define FAULTY(type, name, needs_room, given, passed) \
    type name given { REAL(name); if (fault(needs_room)) return -1; return real passed; }

#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); va_list rest; va_start(rest, flags); mode_t bits = va_arg(rest, mode_t); va_end(rest); \
        if ((flags & O_CREAT) && access(path, F_OK) && fault(1)) return -1; \
        return real(path, flags, bits); }
OPENS(open)
OPENS(open64)
FAULTY(ssize_t, write, fd > 2, (int fd, const void *data, size_t n), (fd, data, n))
FAULTY(ssize_t, pwrite, 1, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at))
FAULTY(ssize_t, pwrite64, 1, (int fd, const void *data, size_t n, off64_t at), (fd, data, n, at))
FAULTY(int, fsync, 0, (int fd), (fd))
FAULTY(int, fdatasync, 0, (int fd), (fd))
FAULTY(int, ftruncate, 0, (int fd, off_t n), (fd, n))
FAULTY(int, ftruncate64, 0, (int fd, off64_t n), (fd, n))
FAULTY(int, rename, 0, (const char *from, const char *to), (from, to))
FAULTY(int, link, 1, (const char *from, const char *to), (from, to))
FAULTY(int, unlink, 0, (const char *path), (path))
FAULTY(int, mkdir, 1, (const char *path, mode_t bits), (path, bits))
FAULTY(int, rmdir, 0, (const char *path), (path))
"""

BETTER = summary([HINGE] * 60, [SQUAT] * 40)


# --- the commands, in a folder with home/ and backup.zip -------------------------------------------------------------


def save(place):
    with SessionStore.open(place / "home" / "sessions.db") as store:
        keep(store, BETTER)  # in the place of another one
        keep(store, BETTER, number=9)


def correct(place):
    with SessionStore.open(place / "home" / "sessions.db") as store:
        wanted = [WriteNote(0.0, "heavy"), NameExercise(100.0, "Deadlift")]
        store.correct_all(1, wanted, made_at=NOW)


def backup(place):
    write_backup(place / "home", place / "new.zip", made_at=NOW, software_version="1")


def restore(place):
    restore_backup(place / "backup.zip", place / "home", now=NOW, force=True)


def export(place):
    with SessionStore.open(place / "home" / "sessions.db") as store:
        sessions = [store.load(one.id) for one in store.list()]
    export_sessions(sessions, Format.CSV, place / "new.csv")


COMMANDS = {one.__name__: one for one in (save, correct, backup, restore, export)}


def prepare(place):
    """Make a home with two sessions and a recording, and a backup of another state of it."""
    recordings = place / "home" / "recordings"
    recordings.mkdir(parents=True)
    with SessionStore.open(place / "home" / "sessions.db") as store:
        keep(store, number=1)
        (recordings / "a.mcap").write_bytes(b"backed up")
        backup(place)
        (place / "new.zip").rename(place / "backup.zip")
        keep(store, number=2)
    (recordings / "a.mcap").write_bytes(b"present")


# --- what must be true afterwards ------------------------------------------------------------------------------------


def state(place):
    """Return everything that the store holds, and the recordings wherever they are."""
    store = place / "home" / "sessions.db"
    assert query(store, "PRAGMA integrity_check") == [("ok",)]
    with SessionStore.open(store) as opened:
        for one in opened.list():
            opened.load(one.id)
    return contents(store)


def trouble(place, name, before, after):
    """Return a sentence on the damage after a fault in a command; None without damage."""
    found = state(place)
    if name == "save":  # two sessions, each saved whole or not at all
        between = found not in (before, after) and len(found) > len(after)
    else:
        between = found not in (before, after)
    if between:
        return "the store holds neither the old nor the new state"
    kept = {path.read_bytes() for path in place.rglob("a.mcap")}
    if b"present" not in kept:
        return "the recording is lost"
    if name == "restore" and found == after and after != before and b"backed up" not in kept:
        return "the restored store is without its recording"
    new = place / "new.zip"
    if new.exists():
        with zipfile.ZipFile(new) as archive:
            if archive.testzip() is not None or len(archive.namelist()) != 3:
                return "a backup is not whole"
    table = place / "new.csv"
    if table.exists() and len(table.read_text().splitlines()) != 1 + 2 * 12:
        return "a table is not whole"
    return None


# --- the process that forks -------------------------------------------------------------------------------------------


def carry_out(command, place, mode, operation, arm):
    """Carry out a command in a forked process; return how it ended."""
    number = os.fork()
    if number == 0:
        ended = 1
        try:
            arm(mode, operation)
            command(place)
            ended = 0
        except (ImuError, CorrectionRefused) as error:
            ended = 3 if "\n" not in str(error) and str(error) else 4
        except BaseException:
            arm(0, 0)
            traceback.print_exc()
        finally:
            os._exit(ended)
    return os.waitpid(number, 0)[1]


def main(folder):
    arm = ctypes.CDLL(None).arm
    arm.argtypes = [ctypes.c_int, ctypes.c_long]
    template = folder / "template"
    prepare(template)
    before = state(template)
    results = []
    for name, command in COMMANDS.items():
        place = folder / "whole"
        shutil.copytree(template, place)
        assert carry_out(command, place, 0, 0, arm) == 0
        after = state(place)
        shutil.rmtree(place)
        for mode, step in STEPS.items():
            faults, troubles = 0, []
            for operation in range(1, MOST, step):
                place = folder / "faulty"
                shutil.copytree(template, place)
                ended = carry_out(command, place, mode, operation, arm)
                said = trouble(place, name, before, after)
                shutil.rmtree(place)
                refused = mode == FULL and os.WIFEXITED(ended) and os.WEXITSTATUS(ended) == 3
                killed = mode == KILL and os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGKILL
                if said is not None:
                    troubles.append(f"at operation {operation}: {said}")
                if not (refused or killed) and ended != 0:
                    troubles.append(f"at operation {operation}: it ended with {ended}")
                if not (refused or killed):
                    break
                faults += 1
            results.append({"command": name, "mode": mode, "faults": faults, "troubles": troubles})
    print(json.dumps(results))


# --- the tests --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    if sys.platform != "linux" or shutil.which("gcc") is None:
        pytest.skip("needs Linux and gcc: apt-get install --no-install-recommends gcc libc6-dev")
    folder = tmp_path_factory.mktemp("faults")
    (folder / "faults.c").write_text(LIBRARY)
    library = folder / "faults.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, folder / "faults.c", "-ldl"], check=True)
    run = subprocess.run(
        [sys.executable, __file__, folder],
        env=os.environ | {"LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return {(entry["command"], entry["mode"]): (entry, run.stderr) for entry in json.loads(run.stdout)}


@pytest.mark.process
@pytest.mark.parametrize("mode", [KILL, FULL], ids=["killed", "disk full"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_fault_at_any_file_operation_loses_nothing(results, command, mode):
    result, said = results[command, mode]
    assert result["troubles"] == [], said
    assert result["faults"] >= 2


if __name__ == "__main__":
    main(Path(sys.argv[1]))
