"""Training of the counting network, in JAX, with the arithmetic that :mod:`imu.motion.network` has in whole numbers.

Activations and weights are rounded in training as they are later; the gradient passes through the rounding unchanged
(*straight-through estimator*: Bengio, Leonard and Courville 2013, arXiv:1308.3432).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from imu.motion.features import FEATURES
from imu.motion.network import ACTIVATION_UNIT, FEATURE_UNIT, LARGEST, OUTPUTS, TAPS, WEIGHT_UNIT, Block, Network
from imu.samples import Array

CHANNELS, BLOCKS = 32, 7
"""Width and depth: 30,000 weights, looking back 25 s. With 24 channels, chairs of people left out reach higher log-odds
than some of their squats."""
LIMIT = LARGEST / ACTIVATION_UNIT


@dataclass(frozen=True, slots=True)
class Course:
    """How a network is trained.

    Attributes
    ----------
    steps : int
    learning_rate : float
        The largest one.
    batch : tuple of int
        The number of streams of each source in each step: of simulated sessions, of people.
    """

    steps: int
    learning_rate: float
    batch: tuple[int, ...]


ON_SIMULATED, ON_EVERYTHING = Course(16_000, 6e-3, (8,)), Course(10_000, 4e-3, (3, 5))
"""First on simulated people, once for all folds, then on all people who are not left out. Simulated sets of 60 unseen
sessions, best F1 of the endings alone: 8,000 steps on everything 0.941, 20,000 steps 0.956, 16,000 and then 10,000
0.960."""


def _initial(rng: np.random.Generator) -> dict[str, Any]:
    def drawn(fan_in: int, *shape: int) -> Any:
        return (rng.uniform(-1, 1, shape) / np.sqrt(fan_in)).astype(np.float32)

    def zeros(n: int) -> Any:
        return np.zeros(n, dtype=np.float32)

    f, c, blocks = len(FEATURES), CHANNELS, BLOCKS
    return {
        "entry": drawn(f, f, c),
        "entry_bias": zeros(c),
        "convolution": drawn(TAPS * c, blocks, TAPS, c, c),
        "convolution_bias": np.zeros((blocks, c), np.float32),
        "mix": drawn(c, blocks, c, c) * 0.7,
        "mix_bias": np.zeros((blocks, c), np.float32),
        "exit": drawn(c, c, len(OUTPUTS)),
        "exit_bias": zeros(len(OUTPUTS)),
    }


def _rounded(values: Any, unit: int) -> Any:
    """Round to 1/unit; the gradient passes as if nothing were rounded."""
    return values + jax.lax.stop_gradient(jnp.round(values * unit) / unit - values)


def _limited(values: Any, lowest: float) -> Any:
    return jnp.clip(_rounded(values, ACTIVATION_UNIT), lowest, LIMIT)


def _forward(weights: Any, inputs: Any) -> Any:
    """Return the outputs (streams, rows, outputs) of features (streams, rows, features)."""
    w = {name: _rounded(values, WEIGHT_UNIT) for name, values in weights.items()}
    signal = _limited(inputs @ w["entry"] + w["entry_bias"], -LIMIT)
    n = inputs.shape[1]
    for k in range(BLOCKS):
        lag = 2**k
        known = jnp.pad(signal, ((0, 0), (2 * lag, 0), (0, 0)))
        taps = jnp.concatenate((known[:, :n], known[:, lag : n + lag], signal), axis=2)
        inner = taps @ w["convolution"][k].reshape(TAPS * CHANNELS, CHANNELS) + w["convolution_bias"][k]
        outer = _limited(inner, 0.0) @ w["mix"][k] + w["mix_bias"][k]
        signal = _limited(signal + outer, -LIMIT)
    return jnp.maximum(signal, 0.0) @ w["exit"] + w["exit_bias"]


def _loss(weights: Any, inputs: Any, labels: Any) -> Any:
    """Return the sum of what `train` lists."""
    outputs = _forward(weights, inputs)
    phase, ended, hinge = (labels[..., k].astype(jnp.int32) for k in range(3))
    log_phase = jax.nn.log_softmax(outputs[..., :3])
    known, just = (phase >= 0) & (phase < 3), ended == 1
    likelihood = jnp.take_along_axis(log_phase, jnp.clip(phase, 0, 2)[..., None], 2)[..., 0]
    either = jax.nn.logsumexp(log_phase[..., 1:], axis=-1)
    phase_loss = (-jnp.where(known, likelihood, 0.0) - jnp.where(phase == 3, either, 0.0)).sum() / known.sum()

    def cross_entropy(column: int, truth: Any) -> Any:
        each = optax.sigmoid_binary_cross_entropy(outputs[..., column], truth.astype(jnp.float32))
        return jnp.where(truth >= 0, each, 0.0).sum() / jnp.maximum(1, (truth >= 0).sum())

    off = jnp.abs(outputs[..., 5:] - jnp.stack((labels[..., 3] * 4.0, labels[..., 4]), axis=-1))
    place_loss = jnp.where(just[..., None], off, 0.0).sum() / jnp.maximum(1, just.sum())
    return phase_loss + 2.0 * cross_entropy(3, ended) + 0.3 * cross_entropy(4, hinge) + 0.1 * place_loss


Streams = tuple[Array, Array]
"""Features (streams, rows, features) and labels (streams, rows, 5)."""


def train(
    sources: Sequence[Streams], seed: int, course: Course, start: Mapping[str, Array] | None = None
) -> dict[str, Array]:
    """Return the weights after training on streams of each source of the course.

    The loss adds up cross-entropies: of the phase (either phase is right in the hold at the turning point), of a
    repetition having just ended, of a hinge; and the absolute errors of the time since the end and the duration.
    Training goes on from the weights `start`, or begins with random ones.
    """
    schedule = optax.cosine_onecycle_schedule(course.steps, course.learning_rate, pct_start=0.15)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=1e-3))

    def step(weights: Any, state: Any, inputs: Any, labels: Any) -> Any:
        inputs = jnp.clip(_rounded(inputs, FEATURE_UNIT), -LARGEST / FEATURE_UNIT, LARGEST / FEATURE_UNIT)
        changes, state = optimiser.update(jax.grad(_loss)(weights, inputs, labels), state, weights)
        return optax.apply_updates(weights, changes), state

    compiled_step = jax.jit(step)
    rng = np.random.default_rng(seed)
    weights: Any = jax.tree.map(jnp.asarray, _initial(rng) if start is None else dict(start))
    state = optimiser.init(weights)
    orders: list[list[int]] = [[] for _ in sources]
    for _ in range(course.steps):
        batch = []
        for order, (x, y), count in zip(orders, sources, course.batch, strict=True):
            if len(order) < count:
                order[:] = rng.permutation(len(x)).tolist()
            numbers = [order.pop() for _ in range(count)]
            batch.append((x[numbers], y[numbers]))
        inputs, labels = (np.concatenate(parts).astype(np.float32) for parts in zip(*batch, strict=True))
        if rng.random() < 0.5:
            inputs = inputs + 0.03 * rng.standard_normal(inputs.shape, dtype=np.float32)
        weights, state = compiled_step(weights, state, inputs, labels)
    return {name: np.asarray(values) for name, values in weights.items()}


def network_of(weights: dict[str, Array]) -> Network:
    """Return the network in whole numbers."""

    def whole(values: Array, unit: float) -> Any:
        return np.rint(values * unit).astype(np.float32)

    w, product = weights, ACTIVATION_UNIT * WEIGHT_UNIT
    blocks = tuple(
        Block(
            whole(w["convolution"][k], WEIGHT_UNIT),
            whole(w["convolution_bias"][k], product),
            whole(w["mix"][k], WEIGHT_UNIT),
            whole(w["mix_bias"][k], product),
        )
        for k in range(len(w["mix"]))
    )
    return Network(
        whole(w["entry"], WEIGHT_UNIT),
        whole(w["entry_bias"], FEATURE_UNIT * WEIGHT_UNIT),
        blocks,
        whole(w["exit"], WEIGHT_UNIT),
        whole(w["exit_bias"], product),
    )
