"""The fitted weights of counter and pattern, as data: ``weights.npz``, written by :mod:`imu.evaluation.fit`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import IO, Any

import numpy as np

from imu.motion.evidence import CountingWeights
from imu.motion.network import Block, Network
from imu.motion.pattern import PatternWeights
from imu.motion.sets import BelongingWeights

COUNTING_ARRAYS = ("lower", "upper", "centre", "scale", "linear")
BLOCK_ARRAYS = ("convolution", "convolution_bias", "mix", "mix_bias")
OUTER_ARRAYS = ("entry", "entry_bias", "exit", "exit_bias")


@dataclass(frozen=True, slots=True, eq=False)
class CounterWeights:
    """The fitted weights.

    Attributes
    ----------
    network : Network
        Sees repetitions end.
    counting : CountingWeights
        Weighs the evidence that a movement was a repetition.
    pattern : PatternWeights
        The line between squat and hinge.
    belonging : BelongingWeights
        Weighs whether the ends of a set belong to it.
    """

    network: Network
    counting: CountingWeights
    pattern: PatternWeights
    belonging: BelongingWeights


def network_from(arrays: Mapping[str, Any]) -> Network:
    """Return the network of the arrays that `arrays_of` gave."""
    whole = {name: np.asarray(arrays[name], dtype=np.float32) for name in (*BLOCK_ARRAYS, *OUTER_ARRAYS)}
    blocks = tuple(Block(*parts) for parts in zip(*(whole[name] for name in BLOCK_ARRAYS), strict=True))
    return Network(whole["entry"], whole["entry_bias"], blocks, whole["exit"], whole["exit_bias"])


def arrays_of(network: Network) -> dict[str, Any]:
    """Return the weights of the network as arrays of whole numbers, as small as they can be."""
    arrays = {name: np.stack([getattr(block, name) for block in network.blocks]) for name in BLOCK_ARRAYS}
    arrays |= {name: getattr(network, name) for name in OUTER_ARRAYS}
    return {name: array.astype(np.int16 if np.abs(array).max() < 2**15 else np.int32) for name, array in arrays.items()}


def load_weights(file: Any) -> CounterWeights:
    """Return the weights in a file (a path or a binary stream).

    Raises
    ------
    ValueError
        If they do not fit this version.
    """
    with np.load(file) as file_arrays:
        arrays = {name: file_arrays[name] for name in file_arrays.files}
    counting = CountingWeights(**{name: arrays[name] for name in COUNTING_ARRAYS}, bias=float(arrays["bias"]))
    pattern = PatternWeights(*arrays["pattern"].tolist())
    belonging = BelongingWeights(arrays["belonging"], arrays["belonging_bias"])
    return CounterWeights(network_from(arrays), counting, pattern, belonging)


def save_weights(file: IO[bytes], weights: CounterWeights) -> None:
    """Write weights."""
    counting, pattern, belonging = weights.counting, weights.pattern, weights.belonging
    numbers = (pattern.bias, pattern.per_log_ratio, pattern.per_network_log_odds)
    everything: dict[str, Any] = {name: getattr(counting, name) for name in COUNTING_ARRAYS}
    everything |= {"belonging": belonging.linear, "belonging_bias": belonging.bias}
    everything |= {"pattern": np.array(numbers), "bias": np.array(counting.bias), **arrays_of(weights.network)}
    np.savez_compressed(file, **everything)


@cache
def shipped_weights() -> CounterWeights:
    """Return the weights that ship with this program."""
    return load_weights(__file__.rpartition("fitted.")[0] + "weights.npz")  # importlib.resources takes 5 ms to import
