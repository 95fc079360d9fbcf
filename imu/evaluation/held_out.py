"""The weights that were fitted without a person or without a data set.

``weights/manifest.json`` names the file of each, ``weights/NAME.npz`` holds it. `imu.evaluation.fit` writes them, so
that figures on people left out can be repeated in minutes without training::

    {"people": {"sisfall": {"SA01": "people_1"}}, "without": {"sisfall": "without_sisfall"}}

A person or data set that the manifest does not name was in no fit; the shipped weights are then fitted without it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from imu.errors import ImuError
from imu.motion.evidence import CountingWeights
from imu.motion.pattern import PatternWeights
from imu.motion.repetitions import JudgeParameters

COUNTING_ARRAYS = ("lower", "upper", "centre", "scale", "linear", "quadratic")
WEIGHTS = Path(__file__).parent / "weights"

Kind = Literal["person", "data set"]


def held_out_judge(data_set: str, subject: str, kind: Kind) -> JudgeParameters | None:
    """Return what decides without this person or data set; None if neither was in any fit."""
    path = held_out_weights(data_set, subject, kind)
    return None if path is None else _judge(path)


def held_out_weights(data_set: str, subject: str, kind: Kind) -> Path | None:
    """Return the file of the weights without this person or data set; None if neither was in any fit.

    Raises
    ------
    ImuError
        If the manifest or the file that it names is missing or broken.
    """
    manifest = _manifest(WEIGHTS / "manifest.json")
    name = manifest["people"].get(data_set, {}).get(subject) if kind == "person" else manifest["without"].get(data_set)
    if name is None:
        return None
    path = WEIGHTS / f"{name}.npz"
    if not path.is_file():
        raise ImuError(f"the manifest names {path}, which does not exist: run python -m imu.evaluation.fit")
    return path


@lru_cache
def _manifest(path: Path) -> Mapping[str, Mapping[str, Any]]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        return {"people": dict(manifest["people"]), "without": dict(manifest["without"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ImuError(
            f"--held-out needs weights fitted without each person, but {path} is broken: {error!r}"
        ) from error


@lru_cache
def _judge(path: Path) -> JudgeParameters:
    with np.load(path) as kept:
        counting = CountingWeights(**{name: kept[name] for name in COUNTING_ARRAYS}, bias=float(kept["bias"]))
        return JudgeParameters(counting=counting, pattern=PatternWeights(*kept["pattern"].tolist()))


def save_judge(path: Path, judge: JudgeParameters) -> None:
    """Write what `held_out_judge` reads."""
    pattern = judge.pattern
    numbers = (pattern.bias, pattern.per_rad_of_peak, pattern.per_rad_at_bottom, pattern.per_m_of_drop)
    arrays = {name: getattr(judge.counting, name) for name in COUNTING_ARRAYS}
    np.savez(path, bias=np.array(judge.counting.bias), pattern=np.array(numbers), **arrays)
