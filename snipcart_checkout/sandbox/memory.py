"""The sandbox's memory: Django's cache, so that it needs no tables. What is forgotten was only played with.

With the usual in-memory cache it is per process, which is what ``runserver`` has; a lock keeps its threads apart.
"""

from __future__ import annotations

from threading import RLock
from typing import Any, Final

from django.core.cache import BaseCache, caches

from snipcart_checkout.sandbox.conf import get_settings

_KEPT: Final = 7 * 24 * 60 * 60  # seconds


class CacheMemory:
    """Values in the cache that the setting names. What is loaded is a copy."""

    def __init__(self) -> None:
        self.lock = RLock()

    def load(self, key: str, default: Any = None) -> Any:
        """Return what was saved under a key."""
        return _cache().get(_name(key), default)

    def save(self, key: str, value: object) -> None:
        """Keep a value for a week."""
        _cache().set(_name(key), value, _KEPT)


def _cache() -> BaseCache:
    return caches[get_settings().cache]


def _name(key: str) -> str:
    return f"snipcart_checkout.sandbox.{key}"


MEMORY: Final = CacheMemory()
