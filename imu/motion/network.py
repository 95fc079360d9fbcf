"""Features -> how much each moment looks like a repetition: a small causal convolutional network, in NumPy.

Residual blocks of dilated causal convolutions (a *temporal convolutional network*: Bai, Kolter and Koltun 2018,
arXiv:1803.01271), each looking twice as far back as the one before. Weights come from :mod:`imu.evaluation.fit`.

Arithmetic is exact: activations and weights are whole numbers, held in float32, and no sum reaches 2^24 (checked when
the weights are loaded). So the result depends neither on how a matrix product orders its sums nor on how the stream is
cut nor on the processor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imu.motion.features import FEATURES
from imu.samples import Array

Whole = NDArray[np.float32]
"""Whole numbers, held in float32."""

FEATURE_UNIT = 128
"""Features are rounded to 1/128."""
ACTIVATION_UNIT = 32
"""Activations are rounded to 1/32."""
WEIGHT_UNIT = 256
"""Weights are rounded to 1/256."""
LARGEST = 1023
"""Activations and features are limited to this many units."""
EXACT = 2**24
"""Whole numbers of float32 are exact below this."""

TAPS = 3
"""Moments that each convolution combines."""

OUTPUTS = ("other", "down", "up", "end", "hinge", "since_end", "log_duration")
"""Logits of the phase of the moment (one of three), of whether a repetition has just ended, and of whether it was a
hinge; then, for one that has just ended, quarters of a second since its end, and the logarithm of its seconds."""

CHUNK_ROWS = 256
"""Rows that pass all layers together: their activations stay in the processor's cache, and OpenBLAS multiplies so small
matrices (up to 262,144 products) in one thread; where another core is busy, two threads take five times as long."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One residual block: a dilated causal convolution, a rectifier, and a mix of the channels.

    Attributes
    ----------
    convolution : (TAPS, channels, channels) array
        The oldest moment first; units of 1/256.
    convolution_bias : (channels,) array
        In units of an activation times a weight.
    mix : (channels, channels) array
    mix_bias : (channels,) array
    """

    convolution: Whole
    convolution_bias: Whole
    mix: Whole
    mix_bias: Whole


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Weights of the network.

    Attributes
    ----------
    entry : (features, channels) array
        In units of 1/256.
    entry_bias : (channels,) array
        In units of a feature times a weight.
    blocks : tuple of Block
        The block with index k looks back 2^k and 2 * 2^k rows.
    exit : (channels, outputs) array
    exit_bias : (outputs,) array

    Raises
    ------
    ValueError
        If shapes do not fit, or a sum could reach 2^24.
    """

    entry: Whole
    entry_bias: Whole
    blocks: tuple[Block, ...]
    exit: Whole
    exit_bias: Whole

    def __post_init__(self) -> None:
        """Check shapes and the largest possible sums."""
        if self.entry.shape[0] != len(FEATURES) or self.exit.shape[1] != len(OUTPUTS):
            raise ValueError(f"the network takes {self.entry.shape[0]} features, this version computes {len(FEATURES)}")
        layers = [(self.entry, self.entry_bias), (self.exit, self.exit_bias)]
        for block in self.blocks:
            taps, channels, _ = block.convolution.shape
            layers += [(block.convolution.reshape(taps * channels, -1), block.convolution_bias)]
            layers += [(block.mix, block.mix_bias)]
        for weights, bias in layers:
            largest = (LARGEST * np.abs(weights).astype(float).sum(axis=0) + np.abs(bias)).max()
            if largest >= EXACT:
                raise ValueError(f"a sum of the network may reach {largest:.0f}: not exact in float32")

    @property
    def channels(self) -> int:
        """Width of the network."""
        return int(self.entry.shape[1])


def _limited(sums: Whole, lowest: int) -> Whole:
    """Return sums of activations times weights as activations again, in place."""
    sums *= np.float32(1.0 / WEIGHT_UNIT)
    np.rint(sums, out=sums)
    sums.clip(lowest, LARGEST, out=sums)  # half the time of np.clip, on so few rows
    return sums


class NetworkStream:
    """Run the network over a stream; any cutting gives the same outputs, bit for bit."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._pasts = [
            np.zeros(((TAPS - 1) * 2**k, network.channels), dtype=np.float32) for k in range(len(network.blocks))
        ]

    def push(self, features: Array) -> Whole:
        """Return the logits (n, len(OUTPUTS)) of the next features (len(FEATURES), n), with no delay."""
        rows = np.clip(np.rint(features.T * FEATURE_UNIT), -LARGEST, LARGEST).astype(np.float32)
        parts = [self._chunk(rows[start : start + CHUNK_ROWS]) for start in range(0, len(rows), CHUNK_ROWS)]
        logits = np.concatenate(parts) if parts else np.empty((0, len(OUTPUTS)), dtype=np.float32)
        return logits / np.float32(ACTIVATION_UNIT * WEIGHT_UNIT)

    def _chunk(self, rows: Whole) -> Whole:
        network, n = self._network, len(rows)
        signal = rows @ network.entry
        signal += network.entry_bias
        signal *= np.float32(ACTIVATION_UNIT / FEATURE_UNIT)
        signal = _limited(signal, -LARGEST)
        for k, block in enumerate(network.blocks):
            known = np.concatenate((self._pasts[k], signal))
            self._pasts[k] = known[n:]
            inner = known[:n] @ block.convolution[0]
            inner += known[2**k : n + 2**k] @ block.convolution[1]
            inner += signal @ block.convolution[2]
            inner += block.convolution_bias
            outer = _limited(inner, 0) @ block.mix
            outer += block.mix_bias
            outer *= np.float32(1.0 / WEIGHT_UNIT)
            np.rint(outer, out=outer)
            outer += signal
            signal = outer.clip(-LARGEST, LARGEST, out=outer)
        logits: Whole = np.maximum(signal, 0) @ network.exit + network.exit_bias
        return logits
