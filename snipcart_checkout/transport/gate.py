"""Who may call Snipcart now: a cap on calls in flight, and quick refusals while it cannot be reached."""

from __future__ import annotations

import enum
import threading
from dataclasses import dataclass
from typing import Final

from snipcart_checkout.exceptions import SnipcartUnavailable

__all__ = ["Gate", "Outcome"]

MAX_WAIT: Final = 0.25
"""Seconds that a caller waits at most for a place."""

FAILURES_TO_CLOSE: Final = 5
"""So many failures in a row, and an origin counts as down."""


class Outcome(enum.Enum):
    """How a call ended, as far as reaching Snipcart is concerned; any HTTP status is an answer."""

    ANSWERED = enum.auto()
    TIMED_OUT = enum.auto()
    LOST = enum.auto()


@dataclass
class _Origin:
    """What is known of one scheme, host and port. Changed only under the gate's lock."""

    in_flight: int = 0
    failures: int = 0

    def refuse_while_down(self) -> None:
        # The one call let through is the probe. Somebody who calls alone is always that one, so a
        # site with little traffic never hears "down" without an attempt having been made.
        if self.failures >= FAILURES_TO_CLOSE and self.in_flight:
            raise SnipcartUnavailable(
                "Snipcart cannot be reached; another call is finding out whether it is back", was_sent=False
            )


class Gate:
    """Lets at most ``cap`` calls through at a time, for all origins together.

    As many callers as the cap may wait for a place, up to MAX_WAIT seconds and in the order in which they
    came; the others are refused at once. Nobody waits while the last call timed out: a place is then
    unlikely to get free in time, and each waiting thread is one that the rest of the site cannot use.
    """

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._changed = threading.Condition(threading.Lock())
        self._in_flight = 0
        self._waiting = 0
        self._last_timed_out = False
        self._origins: dict[str, _Origin] = {}

    def enter(self, origin: str) -> None:
        """Take a place, which ``leave`` gives back; raise SnipcartUnavailable where there is none."""
        with self._changed:
            state = self._origins.setdefault(origin, _Origin())
            state.refuse_while_down()
            if self._in_flight >= self._cap or self._waiting:
                self._wait_for_a_place()
                state.refuse_while_down()
            self._in_flight += 1
            state.in_flight += 1

    def leave(self, origin: str, outcome: Outcome) -> None:
        """Give the place back and remember how the call ended."""
        with self._changed:
            state = self._origins[origin]
            self._in_flight -= 1
            state.in_flight -= 1
            state.failures = 0 if outcome is Outcome.ANSWERED else state.failures + 1
            self._last_timed_out = outcome is Outcome.TIMED_OUT
            if outcome is Outcome.ANSWERED:
                self._changed.notify()
            else:
                self._changed.notify_all()

    def _wait_for_a_place(self) -> None:
        if self._waiting >= self._cap or self._last_timed_out:
            raise _busy()
        self._waiting += 1
        try:
            self._changed.wait_for(lambda: self._has_place or self._last_timed_out, MAX_WAIT)
        finally:
            self._waiting -= 1
        if not self._has_place:
            raise _busy()

    @property
    def _has_place(self) -> bool:
        return self._in_flight < self._cap


def _busy() -> SnipcartUnavailable:
    return SnipcartUnavailable("too many calls to Snipcart are under way", retry_after=1, was_sent=False)
