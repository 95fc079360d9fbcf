"""Squat or hinge: told from how far the trunk tilted and how far the hip sank.

In a squat the hip goes down and the back stays near upright; in a hinge the hip goes back and the back drops towards the floor
(the published Stoop-Squat-Index is the same idea: Schmid 2022, doi 10.1186/s40945-022-00135-4).
"""

from __future__ import annotations

from enum import StrEnum


class Pattern(StrEnum):
    """Movement pattern of one repetition or one set."""

    SQUAT = "squat"
    HINGE = "hinge"
    UNCERTAIN = "uncertain"
    MIXED = "mixed"
    """Only of a set: repetitions of both patterns, neither with four in five."""
