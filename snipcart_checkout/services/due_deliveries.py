"""Deliver all that is due: fairly between old and new sessions, and several at a time after an outage."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from itertools import chain, zip_longest
from typing import Final

from django.db import connections, router

from snipcart_checkout.conf import get_settings
from snipcart_checkout.models import Confirmation
from snipcart_checkout.services.delivery import deliver_session
from snipcart_checkout.services.logger import log

_BATCH: Final = 100
# With fewer, what is won is less than what other threads and their connections cost.
_MANY: Final = 20
_AT_ONCE: Final = 4


def deliver_due(is_over: Callable[[], bool]) -> int:
    """Deliver the due confirmations until ``is_over``, and return how many Snipcart accepted.

    The oldest and the newest sessions take turns. Where many wait, as after an outage, a few are delivered at a time, in
    threads with database connections of their own.
    """
    total = 0
    while not is_over():
        delivered = _deliver(_get_due_sessions(), is_over)
        if not delivered:
            break
        total += delivered
    return total


def _get_due_sessions() -> list[str]:
    due = Confirmation.objects.due()
    oldest, newest = (
        list(due.order_by(order).values_list("session_key", flat=True)[:_BATCH])
        for order in ("due_at", "-due_at")
    )
    mixed = chain.from_iterable(zip_longest(oldest, newest))
    return list(dict.fromkeys(key for key in mixed if key is not None))


def _deliver(keys: list[str], is_over: Callable[[], bool]) -> int:
    waiting = queue.SimpleQueue[str]()
    for key in keys:
        waiting.put(key)
    at_once = min(_AT_ONCE, get_settings().max_calls_in_flight)
    if len(keys) < _MANY or at_once < 2 or not _can_be_shared():
        return _work(waiting, is_over)
    with ThreadPoolExecutor(at_once, thread_name_prefix="snipcart_settle") as pool:
        tasks = [pool.submit(copy_context().run, _work_apart, waiting, is_over) for _ in range(at_once)]
        try:
            return sum(task.result() for task in tasks)
        finally:
            _empty(waiting)


def _can_be_shared() -> bool:
    """Return whether another connection is as good as this one.

    It is not in a test's transaction, nor in memory, nor where a connection knows more than its database: which tenant's
    tables it works on, for example.
    """
    connection = connections[router.db_for_write(Confirmation)]
    in_memory = getattr(connection, "is_in_memory_db", None)
    is_plain = type(connection).__module__.startswith("django.db.backends.")
    is_watched = bool(connection.execute_wrappers)
    return is_plain and not (is_watched or connection.in_atomic_block or (in_memory and in_memory()))


def _work_apart(waiting: queue.SimpleQueue[str], is_over: Callable[[], bool]) -> int:
    try:
        return _work(waiting, is_over)
    finally:
        connections.close_all()


def _work(waiting: queue.SimpleQueue[str], is_over: Callable[[], bool]) -> int:
    delivered = 0
    while not is_over():
        try:
            key = waiting.get_nowait()
        except queue.Empty:
            break
        delivered += _deliver_apart(key)
    return delivered


def _empty(waiting: queue.SimpleQueue[str]) -> None:
    """Leave the workers nothing to do, when this run is interrupted."""
    while not waiting.empty():
        try:
            waiting.get_nowait()
        except queue.Empty:
            return


def _deliver_apart(session_key: str) -> int:
    """Deliver one session when due and return the number delivered; an error does not stop other sessions."""
    try:
        return deliver_session(session_key).delivered
    except Exception as error:
        log(logging.ERROR, "session %s could not be delivered: %s", session_key, type(error).__name__)
        return 0
