"""Time limits: the total limit of a call, and the time budget of a whole request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

REQUEST_SECONDS: Final = 20.0
"""Seconds that all calls to the outside of one request may take together."""


class Deadline:
    """A moment on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def seconds_left(self) -> float:
        """Return the seconds until the deadline; zero or less when it has passed."""
        return self._end - time.monotonic()

    def limit(self, seconds: float) -> float:
        """Return the smaller of ``seconds`` and the time left; raise TimeoutError when none is left."""
        left = self.seconds_left()
        if left <= 0:
            raise TimeoutError("the total time limit is over")
        return min(seconds, left)


_budget: Final[ContextVar[Deadline | None]] = ContextVar("_budget", default=None)


@contextmanager
def time_budget(seconds: float) -> Iterator[None]:
    """Limit all outside calls inside this context to ``seconds`` from now, together.

    Each call ends with its own TOTAL_TIMEOUT or with the budget, whichever comes first. When no
    time is left, a call is not sent. An inner budget can only shorten an outer one. It holds for
    this thread (or task), for calls to Snipcart and for those that a backend makes through
    ``self.http``.
    """
    token = _budget.set(Deadline(seconds_left(seconds)))
    try:
        yield
    finally:
        _budget.reset(token)


def seconds_left(most: float) -> float:
    """Return ``most`` seconds, or what is left of the budget where that is less; never below zero."""
    budget = _budget.get()
    return most if budget is None else max(0.0, min(most, budget.seconds_left()))


class CallInProgress:
    """The call that this thread is making: its deadline, and whether anything of it was sent.

    ``was_sent`` is true from the moment that the first byte of the request was written to the network. Looking
    up a name, connecting, a proxy's CONNECT and the TLS handshake come before it. ``is_watched`` is true
    once a connection of ours is at work, which records that; anything else that sends in its place does not.
    """

    def __init__(self, seconds: float) -> None:
        self.deadline = Deadline(seconds)
        self.was_sent = False
        self.is_watched = False


current_call: Final[ContextVar[CallInProgress]] = ContextVar("current_call")
"""A context variable, because urllib3 has no other way to pass values to a connection and back."""
