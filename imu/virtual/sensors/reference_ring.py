"""The last samples of one epoch, found by their index: the ring buffer of our firmware (``firmware_protocol/c``).

Samples that the motion chip lost are holes: they have an index, and never come. A reader is a cursor: the live stream
is one, a resend another, and neither delays the other. This module refuses to know packets and time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from firmware_protocol.packets import Counts


class SampleRing:
    """The last `capacity` samples of one epoch."""

    def __init__(self, capacity: int) -> None:
        self._rows = np.zeros((capacity, 6), np.int16)
        self._holes: deque[tuple[int, int]] = deque()  # [first, end) of samples that were lost
        self.capacity = capacity
        self.clear()

    def clear(self) -> None:
        """Begin a new epoch."""
        self._holes.clear()
        self.next_index = 0
        """Index of the next sample."""

    @property
    def oldest_index(self) -> int:
        """Index of the oldest sample that may still be there."""
        return max(0, self.next_index - self.capacity)

    def push(self, counts: Counts) -> None:
        """Keep samples, (n, 6); the oldest make room."""
        kept = counts[-self.capacity :]
        first = self.next_index + len(counts) - len(kept)
        self._rows[np.arange(first, first + len(kept)) % self.capacity] = kept
        self.next_index += len(counts)
        while self._holes and self._holes[0][1] <= self.oldest_index:
            self._holes.popleft()

    def skip(self, count: int) -> None:
        """Take note of samples that were measured and lost."""
        self._holes.append((self.next_index, self.next_index + count))
        self.next_index += count

    def available(self, first_index: int, count: int) -> tuple[int, int]:
        """Return what is kept of the asked-for samples as ``[first, end)``, holes included; it may be empty."""
        first = max(first_index, self.oldest_index)
        return first, max(first, min(first_index + count, self.next_index))

    def read(self, first_index: int, end_index: int, most: int) -> tuple[int, Counts]:
        """Return at most `most` consecutive samples, and the index of the first.

        It is `first_index`, or as soon after it, and before `end_index`, as there is one.
        """
        first = max(first_index, self.oldest_index)
        end = min(end_index, self.next_index, first + self.capacity)
        for hole_first, hole_end in self._holes:
            if first < hole_first:
                end = min(end, hole_first)
                break
            first = max(first, hole_end)
        last = min(end, first + most)
        return first, self._rows[np.arange(first, max(first, last)) % self.capacity]


@dataclass(slots=True)
class Cursor:
    """Who reads."""

    next_index: int
    end_index: int | None = None
    """Where a resend ends; ``None`` for the live stream."""
    samples_dropped: int = 0
    """Passed over unread."""
    after_gap: bool = False
    """Whether the next packet does not follow on the one before."""

    def waiting(self, ring: SampleRing) -> int:
        """Return how many samples wait, holes included."""
        end = ring.next_index if self.end_index is None else min(self.end_index, ring.next_index)
        return max(0, end - max(self.next_index, ring.oldest_index))

    def drop_until(self, index: int) -> None:
        """Go on at `index`; what lies between can still be resent."""
        if index > self.next_index:
            self.samples_dropped += index - self.next_index
            self.next_index = index
            self.after_gap = True

    def take(self, ring: SampleRing, most: int) -> tuple[int, Counts, bool]:
        """Return the index of the next samples, the samples, and whether others are missing before them."""
        end = ring.next_index if self.end_index is None else self.end_index
        self.drop_until(min(ring.oldest_index, end))
        first, counts = ring.read(self.next_index, end, most)
        gap = self.after_gap or first != self.next_index
        if len(counts):
            self.next_index, self.after_gap = first + len(counts), False
        return first, counts, gap
