"""Records of fixed layout: little-endian fields without padding."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

_FORMATS: Final = {
    "u8": "B",
    "i8": "b",
    "u16": "H",
    "i16": "h",
    "u32": "I",
    "u48": "6s",
    "u64": "Q",
    "f32": "f",
}


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Bytes that are not a record of a known version of this protocol."""

    reason: str
    """A sentence of ``PROTOCOL.md``, section "Malformed packets", with a number after it in some cases."""
    size: int
    """Number of bytes."""


class Layout:
    """The fields of one record.

    Parameters
    ----------
    *fields : tuple of str and str
        Type (``u8``, ``i8``, ``u16``, ``i16``, ``u32``, ``u48``, ``u64`` or ``f32``) and name, in order.
    """

    def __init__(self, *fields: tuple[str, str]) -> None:
        self.fields = fields
        self._struct = struct.Struct("<" + "".join(_FORMATS[kind] for kind, _ in fields))

    @property
    def size(self) -> int:
        """Size of the record in bytes."""
        return self._struct.size

    def pack(self, *values: float) -> bytes:
        """Return the bytes of the values, given in the order of the fields."""
        wide = (
            int(value).to_bytes(6, "little") if kind == "u48" else value
            for (kind, _), value in zip(self.fields, values, strict=True)
        )
        return self._struct.pack(*wide)

    def unpack(self, payload: bytes) -> tuple[Any, ...]:
        """Return the values at the start of `payload`, which must be long enough."""
        return tuple(
            int.from_bytes(value, "little") if kind == "u48" else value
            for (kind, _), value in zip(self.fields, self._struct.unpack_from(payload), strict=True)
        )


def as_f32(value: float) -> float:
    """Return `value` rounded to single precision, as it is sent.

    Raises
    ------
    ValueError
        If it is too large.
    """
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError as error:
        raise ValueError(f"{value} is too large for single precision") from error


def check_range(name: str, value: int, bits: int) -> None:
    """Check that `value` fits into `bits` bits, unsigned.

    Raises
    ------
    ValueError
        If it does not.
    """
    if not 0 <= value < 1 << bits:
        raise ValueError(f"{name} must be from 0 to {(1 << bits) - 1}, got {value}")
