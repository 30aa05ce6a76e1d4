"""The circuit breaker: calls to an origin that cannot be reached fail at once."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

FAILURES_TO_OPEN: Final = 5
"""The number of failures in a row after which the circuit opens: the origin counts as down."""

_MOST_ORIGINS: Final = 64


@dataclass
class _Circuit:
    in_flight: int = 0
    failures: int = 0

    @property
    def is_open(self) -> bool:
        return self.failures >= FAILURES_TO_OPEN


class CircuitBreaker:
    """Remembers for each origin (host and port) how its last calls ended.

    While a circuit is open, one call at a time may try whether the origin is back; the others are
    refused. A single caller is always that one, so on a site with little traffic every call is
    attempted.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._circuits: dict[str, _Circuit] = {}

    def allow(self, origin: str) -> bool:
        """Return whether a call may be made now; ``record`` has to follow every call that was allowed."""
        with self._lock:
            self._forget_some()
            circuit = self._circuits.setdefault(origin, _Circuit())
            if circuit.is_open and circuit.in_flight:
                return False
            circuit.in_flight += 1
            return True

    def record(self, origin: str, *, answered: bool) -> None:
        """Record how a call ended. Any HTTP status is an answer."""
        with self._lock:
            circuit = self._circuits[origin]
            circuit.in_flight -= 1
            circuit.failures = 0 if answered else circuit.failures + 1

    def _forget_some(self) -> None:
        # A remote that returns ever new hosts must not fill the memory.
        if len(self._circuits) >= _MOST_ORIGINS:
            self._circuits = {name: each for name, each in self._circuits.items() if each.in_flight}
