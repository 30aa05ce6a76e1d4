"""The remotes that this process calls: Snipcart is one, each provider is another."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeAlias

from snipcart_checkout.conf import Settings
from snipcart_checkout.snipcart.transport.breaker import CircuitBreaker
from snipcart_checkout.snipcart.transport.connections import PooledAdapter
from snipcart_checkout.snipcart.transport.limiter import ConcurrencyLimiter

SNIPCART: Final = "snipcart"
"""The name of Snipcart among the remotes. A provider's holds a slash: ``store/method``."""


class NoSlot(Exception):
    """The cap of a remote is reached. Nothing was sent."""


class Remote:
    """One remote, as seen by this process: its limiter, its circuit breaker and its pooled connections."""

    def __init__(self, *, cap: int, ca_bundle: str | None, proxy: str | None) -> None:
        self.breaker = CircuitBreaker()
        self.limiter = ConcurrencyLimiter(cap)
        self._lock = threading.Lock()
        self._adapter: PooledAdapter | None = None
        self._cap, self._ca_bundle, self._proxy = cap, ca_bundle, proxy

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one of the remote's slots; raise NoSlot where there is none.

        A caller that already holds one, further up in the same thread, needs no second one.
        """
        held = _held.get()
        if self in held:
            yield
            return
        slot = self.limiter.acquire()
        if slot is None:
            raise NoSlot
        token = _held.set(held | {self})
        try:
            yield
        finally:
            _held.reset(token)
            self.limiter.release(slot)

    def adapter(self) -> PooledAdapter:
        """Return the remote's adapter; raise what the library raises for an unusable CA_BUNDLE or PROXY."""
        with self._lock:
            if self._adapter is None:
                self._adapter = PooledAdapter(
                    ca_bundle=self._ca_bundle, proxy=self._proxy, connections=self._cap
                )
            return self._adapter


_held: Final[ContextVar[frozenset[Remote]]] = ContextVar("_held", default=frozenset())
_Key: TypeAlias = tuple[str, str | None, str | None, int]


class _Process:
    """The remotes of this process, one for each combination of name and settings."""

    def __init__(self) -> None:
        self.start_anew()

    def start_anew(self) -> None:
        # Two processes writing to one kept connection would read each other's answers, and a lock that
        # another thread held while forking would never be released here.
        self.lock = threading.Lock()
        self.remotes: dict[_Key, Remote] = {}


_process: Final = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.start_anew)


def get_remote(name: str, settings: Settings) -> Remote:
    """Return a remote by its configured name, never by outside text, because remotes are kept for ever."""
    cap = settings.max_calls_in_flight
    key = (name, settings.ca_bundle, settings.proxy, cap)
    remote = _process.remotes.get(key)
    if remote is None:
        with _process.lock:
            remote = _process.remotes.setdefault(
                key, Remote(cap=cap, ca_bundle=settings.ca_bundle, proxy=settings.proxy)
            )
    return remote
