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
from zipfile import BadZipFile

from imu.errors import ImuError
from imu.motion.fitted import load_weights
from imu.motion.judge import JudgeParameters

WEIGHTS = Path(__file__).parent / "weights"

Kind = Literal["person", "data set"]


def held_out_judge(data_set: str, subject: str, kind: Kind) -> JudgeParameters | None:
    """Return the weights fitted without this person or data set; None if neither was in any fit."""
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
    try:
        return JudgeParameters(weights=load_weights(path))
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise ImuError(f"{path} is broken: run python -m imu.evaluation.fit ({error!r})") from error
