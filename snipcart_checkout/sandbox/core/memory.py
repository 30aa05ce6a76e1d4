"""Where Snipcart keeps what it knows."""

from __future__ import annotations

from contextlib import AbstractContextManager
from threading import RLock
from typing import Any, Protocol


class Memory(Protocol):
    """Values by name. What was loaded may be a copy: a change counts once it is saved."""

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """Hold it from loading a value until saving it changed, and never over an HTTP call. It is reentrant."""

    def load(self, key: str, default: Any = None) -> Any:
        """Return what was saved under a key."""

    def save(self, key: str, value: object) -> None:
        """Keep a value."""


class ProcessMemory:
    """A memory of one process, as long as the object lives."""

    def __init__(self) -> None:
        self.lock = RLock()
        self._values: dict[str, Any] = {}

    def load(self, key: str, default: Any = None) -> Any:
        """Return what was saved under a key: the value itself, no copy."""
        return self._values.get(key, default)

    def save(self, key: str, value: object) -> None:
        """Keep a value."""
        self._values[key] = value
