"""The concurrency limiter: a cap on calls in flight, so that a hanging remote holds few threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Final

MAX_WAIT: Final = 0.25
"""The most seconds that a caller waits for a slot."""

MAX_WAITING: Final = 2
"""The most callers that may wait at a time, because the rest of the site cannot use a waiting thread."""

HANGING: Final = 1.0
"""Seconds after which a call in flight counts as hanging; a slot is then unlikely to become free in time."""


class Slot:
    """One call's slot among those in flight; ``taken_at`` is on the monotonic clock."""

    def __init__(self) -> None:
        self.taken_at = time.monotonic()


class ConcurrencyLimiter:
    """Lets at most ``cap`` calls through at a time; at most ``cap`` + 2 threads are ever held.

    Beyond the cap at most two callers wait, up to MAX_WAIT seconds, and nobody while the oldest call in flight
    has taken longer than a second. The others are refused at once.
    """

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._changed = threading.Condition(threading.Lock())
        self._slots: dict[Slot, None] = {}  # in the order in which they were taken
        self._waiting = 0

    def acquire(self) -> Slot | None:
        """Return a slot, which ``release`` gives back; None where there is none."""
        with self._changed:
            if self._is_full:
                self._wait()
            if self._is_full:
                return None
            slot = Slot()
            self._slots[slot] = None
            return slot

    def release(self, slot: Slot) -> None:
        """Give a slot back."""
        with self._changed:
            del self._slots[slot]
            self._changed.notify()

    @property
    def waiting(self) -> int:
        """The number of callers that wait for a slot now."""
        return self._waiting

    def _wait(self) -> None:
        if self._waiting >= MAX_WAITING:
            return
        self._waiting += 1
        try:
            self._changed.wait_for(lambda: not self._is_full, self._patience())
        finally:
            self._waiting -= 1

    def _patience(self) -> float:
        oldest = next(self._ages(), 0.0)
        return max(0.0, min(MAX_WAIT, HANGING - oldest))

    def _ages(self) -> Iterator[float]:
        now = time.monotonic()
        return (now - slot.taken_at for slot in self._slots)

    @property
    def _is_full(self) -> bool:
        return len(self._slots) >= self._cap
