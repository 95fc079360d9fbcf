"""Errors named after what the person can do about them.

Whatever goes wrong outside our own code is translated into one of these once, at the edge where it
happens, with ``raise ... from``. The text of each is one sentence that says what is wrong and what
to do. Wrong arguments inside the program are a ``ValueError`` with the value in its text.
"""


class ImuError(Exception):
    """Anything that the person using the program can be told in one sentence."""


class RecordingDamaged(ImuError):
    """A recording cannot be read, or not to its end."""


class RecordingForeign(ImuError):
    """A file is readable, but is not a recording that we understand as it stands."""


class StoreDamaged(ImuError):
    """The session store cannot be opened, or is newer than this program."""


class SessionNotFound(ImuError):
    """No stored session has the asked-for number."""
