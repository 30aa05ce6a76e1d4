"""The concurrency limiter: a cap on calls in flight, so that a hanging remote holds few threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Final

MAX_WAIT: Final = 0.25
"""The most seconds that a caller waits for a place."""

MAX_WAITING: Final = 2
"""The most callers that may wait at a time, because the rest of the site cannot use a waiting thread."""

HANGING: Final = 1.0
"""Seconds after which a call in flight counts as hanging; a place is then unlikely to become free in time."""


class Place:
    """One call's place among those in flight; ``taken_at`` is on the monotonic clock."""

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
        self._places: dict[Place, None] = {}  # in the order in which they were taken
        self._waiting = 0

    def acquire(self) -> Place | None:
        """Return a place, which ``release`` gives back; None where there is none."""
        with self._changed:
            if self._is_full:
                self._wait()
            if self._is_full:
                return None
            place = Place()
            self._places[place] = None
            return place

    def release(self, place: Place) -> None:
        """Give a place back."""
        with self._changed:
            del self._places[place]
            self._changed.notify()

    @property
    def waiting(self) -> int:
        """The number of callers that wait for a place now."""
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
        return (now - place.taken_at for place in self._places)

    @property
    def _is_full(self) -> bool:
        return len(self._places) >= self._cap
