"""A phone in the browser: numbered `devicemotion` events, their own clock, and axes that are settled by kinematics.

The page (:mod:`imu.phone`) sends each event with `event.timeStamp` and a running number, keeps the last minute, and
sends samples again that this driver requests after a lost connection. Bytes, all little-endian:

- ``batch``, from the page: page number (uint32, random; a reload keeps it if the page could save its samples), number
  of the first sample (uint32), then 32 bytes a sample: time in ms (float64), `accelerationIncludingGravity` x, y, z in
  m/s² and `rotationRate` alpha, beta, gamma in deg/s (six float32).
- ``hello``, from the page, once per connection: the same eight bytes, the number being that of the oldest sample kept,
  eight random bytes that stand for the phone, and the browser's name in UTF-8.
- ``have``, to the page: page number and the number of the next sample wanted (two uint32). The page forgets what comes
  before it.
- ``settled``, to the page: the axes are known, the phone may go into the waistband.
- ``refused``, to the page: a sentence in UTF-8; the training has ended.

Browsers differ in the signs of the acceleration and in the assignment of alpha, beta and gamma to axes, and the
browser's name does not settle which. Kinematics does: while the phone turns, the direction of gravity in its frame
changes by ``d a/dt = -ω × a`` for the right assignment only. `AxisSearch` compares all 48 assignments over windows of a
quarter of a second. A wrong sign of all three accelerations fulfils the same equation: it leaves counts, angles and
drops as they are, and mirrors left and right.
"""

from __future__ import annotations

import itertools
import struct

import numpy as np

from imu.samples import Array, ImuBlock
from imu.sensors.clocks import Timeline
from imu.sensors.conversation import (
    Action,
    Heard,
    Identified,
    Malformed,
    Message,
    Notice,
    Refused,
    Reply,
    Restarted,
    SamplesLost,
    SensorKind,
    Write,
)
from imu.sensors.driver import MOST_ACCELERATION_M_S2, MOST_ANGULAR_VELOCITY_RAD_S, RAD_S_PER_DPS, text_of

BATCH, HELLO, HAVE, SETTLED, REFUSED = "batch", "hello", "have", "settled", "refused"
"""The kind of a message, in place of the UUID of a characteristic."""

HEAD = struct.Struct("<II")
NAME_BYTES = 8
"""Length of the random name of a phone in a hello."""
SAMPLE = np.dtype([("time_ms", "<f8"), ("acceleration", "<f4", 3), ("rotation", "<f4", 3)])
MOST_SAMPLES = 6000
"""Of one batch: a minute at 100 Hz, which is what a page keeps."""
HIGHEST_NUMBER = 2**32 - 1
"""Of a sample, as it has four bytes: 497 days at 100 Hz."""

TITLE = "phone"
WINDOW_S = 0.25
"""Gravity turns by some m/s² in this time while a phone is put into a waistband; its noise is far smaller."""
LEAST_TURNING = 150.0
"""Sum of the squared changes of acceleration, (m/s²)², from which axes may be settled: about five turns by 90°."""
MOST_UNEXPLAINED = 0.6
"""The best assignment leaves at most this share of the squared changes unexplained: hands accelerate a phone too."""
CLEAR_SDS = 4.0
"""By how many standard deviations of what it leaves unexplained the best assignment must differ from the next one. Of
400 phones turned at random and shaken with up to 0.8 m/s² on each axis 360 settled within 20 s (half in 9 s), none
wrongly; of 180 turned about one axis only none settled (`handled` in tests/test_phone_drivers.py)."""
LONGEST_SEARCH_S, MOST_SEARCHED = 90.0, 24_000
"""Without a result after this time, or this many samples (90 s at 266 Hz), the phone is refused."""
SLOWEST_HZ = 20.0
LONGEST_CLOCK_S = 1e7
"""A page's clock starts when it is loaded: more than 115 days is no time."""

UNSETTLED = (
    "The phone's axes could not be identified: start again, and turn the phone once about each of its three axes "
    "before it goes into the waistband."
)
TOO_SLOW = (
    "The phone's browser sends fewer than 20 samples a second, which is too slow: close other pages, or use another "
    "browser."
)


# --- sentences for the phone, in its browser and in Sensor Logger ---------------------------------------------------


def to_phone(what: str, sentence: str = "") -> Write:
    """Return the message `SETTLED` or `REFUSED`."""
    return Write(what, sentence.encode(), with_response=False)


def refused(sentence: str) -> Reply:
    """Return that the training ends, for the reason in the sentence; phone and person read it."""
    return Reply((), (to_phone(REFUSED, sentence),), (Refused(sentence),))


def identified(title: str, detail: str, rate_hz: float, too_slow: str) -> Reply:
    """Return that the phone is understood, or refused because its sampling rate is too low."""
    if rate_hz < SLOWEST_HZ:
        return refused(too_slow)
    return Reply((), (to_phone(SETTLED),), (Identified("", title, detail, rate_hz, (1.0, 1.0)),))


def measured(samples: Array, size: int) -> tuple[Array, tuple[Notice, ...]]:
    """Return the samples (n, 7) whose values a sensor can have, and a notice if a message of this size had others."""
    limits = np.array([MOST_ACCELERATION_M_S2] * 3 + [MOST_ANGULAR_VELOCITY_RAD_S] * 3)
    is_possible = (np.abs(samples[:, 1:]) <= limits).all(axis=1)  # NaN is not
    if is_possible.all():
        return samples, ()
    return samples[is_possible], (Malformed(size, "values that no sensor measures"),)


# --- the axes --------------------------------------------------------------------------------------------------------


def assignments() -> Array:
    """Return the 48 assignments of rotation rates to axes, (48, 3, 3): permutations with signs."""
    permutations = [np.eye(3)[list(order)] for order in itertools.permutations(range(3))]
    signs = [np.diag(some) for some in itertools.product((1.0, -1.0), repeat=3)]
    return np.array([sign @ permutation for permutation in permutations for sign in signs])


class AxisSearch:
    """Find the assignment of the rotation rates to axes from how gravity turns.

    For a matrix P the equation gives the change of acceleration over a window as ``-sum_ij P_ij T_ij``, with
    ``T_ij = ∫ ω_j (e_i × a) dt``. So the squared error of each assignment follows from sums over the windows.
    """

    def __init__(self) -> None:
        self._candidates = assignments().reshape(48, 9)
        self._squares = np.zeros((9, 9))
        self._products = np.zeros(9)
        self._turning = 0.0
        self._windows = 0
        self._pending = np.empty((0, 7))  # samples of a window that is not complete

    def push(self, samples: Array) -> None:
        """Take the next samples (n, 7): time in s, acceleration in m/s², rotation rates in rad/s as they came."""
        samples = np.concatenate((self._pending, samples))
        time_s, acceleration_m_s2, rotation_rad_s = samples[:, 0], samples[:, 1:4], samples[:, 4:]
        starts = np.flatnonzero(np.diff(np.floor(time_s / WINDOW_S), prepend=-np.inf))
        self._pending = samples[starts[-1] :]
        for first, last in itertools.pairwise(starts):
            if last - first < 4 or time_s[last] - time_s[first] > 2 * WINDOW_S:
                continue
            steps = np.diff(time_s[first : last + 1])
            force = (acceleration_m_s2[first:last] + acceleration_m_s2[first + 1 : last + 1]) / 2
            rate = (rotation_rad_s[first:last] + rotation_rad_s[first + 1 : last + 1]) / 2
            crossed = np.cross(np.eye(3)[None], force[:, None])  # (n, i, 3): e_i × a
            turned = np.einsum("n,nj,nik->ijk", steps, rate, crossed).reshape(9, 3)
            change = acceleration_m_s2[last] - acceleration_m_s2[first]
            if not np.isfinite(turned).all() or not np.isfinite(change).all():
                continue
            self._squares += turned @ turned.T
            self._products += turned @ change
            self._turning += float(change @ change)
            self._windows += 1

    @property
    def result(self) -> Array | None:
        """The assignment (3, 3) of rates, as they come, to the axes of the acceleration; None while it is not clear."""
        if self._turning < LEAST_TURNING:
            return None
        errors = (
            self._turning
            + 2 * self._candidates @ self._products
            + np.einsum("ki,ij,kj->k", self._candidates, self._squares, self._candidates)
        )
        best, second = np.argsort(errors)[:2]
        unexplained = max(float(errors[best]), 0.0)
        variance = unexplained / (3 * self._windows)
        clearly = float(errors[second]) - unexplained > (2 * CLEAR_SDS) ** 2 * variance
        if unexplained > MOST_UNEXPLAINED * self._turning or not clearly:
            return None
        matrix: Array = self._candidates[best].reshape(3, 3)
        return matrix


def _decoded(rows: bytes) -> Array | None:
    """Return samples (n, 7) in s, m/s² and rad/s; None if they are not whole, too many, or not in the order of time."""
    if not rows or len(rows) % SAMPLE.itemsize or len(rows) > MOST_SAMPLES * SAMPLE.itemsize:
        return None
    raw = np.frombuffer(rows, SAMPLE)
    with np.errstate(invalid="ignore"):  # any bytes at all, signalling NaN too
        samples = np.column_stack((raw["time_ms"] / 1000.0, raw["acceleration"], raw["rotation"] * RAD_S_PER_DPS))
    time_s = samples[:, 0]
    if not (np.isfinite(time_s).all() and (np.abs(time_s) < LONGEST_CLOCK_S).all() and (np.diff(time_s) > 0).all()):
        return None
    return samples


class PhoneDriver:
    """The conversation with a phone's page over all its connections and loads."""

    def __init__(self) -> None:
        self._timeline = Timeline()
        self._search = AxisSearch()
        self._axes: Array | None = None
        self._page: int | None = None
        self._next = 0
        self._browser = ""
        self._waiting: list[tuple[Array, float]] = []  # samples and their arrival, until the axes are settled
        self._is_refused = False

    def take(self, message: Message) -> Reply:
        """Process one message; messages come in the order of arrival."""
        if self._is_refused or not isinstance(message, Heard) or message.characteristic not in (HELLO, BATCH):
            return Reply()
        head_bytes = HEAD.size + (NAME_BYTES if message.characteristic == HELLO else 0)
        if len(message.payload) < head_bytes:
            return Reply(notices=(Malformed(len(message.payload), "shorter than its head"),))
        page, first = HEAD.unpack_from(message.payload)
        if message.characteristic == HELLO:
            self._browser = text_of(message.payload[head_bytes:])[:200]
            notices = self._turn_to(page)
            settled = () if self._axes is None else (to_phone(SETTLED),)
            return Reply(actions=(self._have(page), *settled), notices=notices)
        samples = _decoded(message.payload[HEAD.size :])
        if samples is None:
            return Reply(notices=(Malformed(len(message.payload), "no whole number of samples in the order of time"),))
        if first + len(samples) > HIGHEST_NUMBER:
            return Reply(notices=(Malformed(len(message.payload), "numbers that no page reaches"),))
        notices = self._turn_to(page)
        if first > self._next:
            notices += (SamplesLost(first - self._next),)
        new, malformed = measured(samples[max(0, self._next - first) :], len(message.payload))
        self._next = max(self._next, first + len(samples))
        reply = self._use(new, message.received_s) if len(new) else Reply()
        return Reply(reply.blocks, (self._have(page), *reply.actions), notices + malformed + reply.notices)

    def stop(self) -> tuple[Action, ...]:
        """Return no actions: the page's server closes the connection."""
        return ()

    def finish(self) -> Reply:
        """Return no samples: what waits for its axes cannot be used."""
        waits = bool(self._waiting) and not self._is_refused
        return Reply(notices=(Refused(UNSETTLED),) if waits else ())

    def _have(self, page: int) -> Write:
        return Write(HAVE, HEAD.pack(page, self._next), with_response=False)

    def _turn_to(self, page: int) -> tuple[Notice, ...]:
        """Start over with a page that was loaded again: its numbers and its clock begin at 0."""
        if page == self._page:
            return ()
        is_first, self._page, self._next = self._page is None, page, 0
        if is_first:
            return ()
        self._timeline.restart()
        return (Restarted(),)

    def _use(self, samples: Array, received_s: float) -> Reply:
        """Return the block of new samples (n, 7), or keep them until the axes are settled."""
        samples = samples.copy()
        samples[:, 0] = self._timeline.place(samples[:, 0], received_s)
        if self._axes is not None:
            return Reply((self._block(samples, received_s),))
        self._waiting.append((samples, received_s))
        self._search.push(samples)
        self._axes = self._search.result
        first_s, last_s = float(self._waiting[0][0][0, 0]), float(samples[-1, 0])
        if self._axes is None:
            searched = sum(len(part) for part, _ in self._waiting)
            self._is_refused = last_s - first_s > LONGEST_SEARCH_S or searched > MOST_SEARCHED
            return refused(UNSETTLED) if self._is_refused else Reply()
        rate_hz = 1.0 / float(np.median(np.diff(np.concatenate([part[:, 0] for part, _ in self._waiting]))))
        reply = identified(TITLE, self._browser, rate_hz, TOO_SLOW)
        if rate_hz < SLOWEST_HZ:
            self._is_refused = True
            return reply
        blocks = tuple(self._block(*part) for part in self._waiting)
        self._waiting = []
        return Reply(blocks, reply.actions, reply.notices)

    def _block(self, samples: Array, received_s: float) -> ImuBlock:
        if self._axes is None:
            raise ValueError("the axes are not settled")
        received = np.full(len(samples), received_s)
        return ImuBlock(samples[:, 0], samples[:, 1:4], samples[:, 4:] @ self._axes.T, received)


PHONE = SensorKind(
    name="phone",
    title=TITLE,
    recognises=lambda _advertisement: False,
    driver=lambda _wished_rate_hz: PhoneDriver(),
)
"""Not found by scanning: the phone connects to this computer."""
