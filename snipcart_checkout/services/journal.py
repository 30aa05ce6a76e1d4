"""Commits, events, log lines, signals and alerts: how the other services say what happened."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from django.db import OperationalError, router, transaction
from django.dispatch import Signal

from snipcart_checkout.logs import say
from snipcart_checkout.models import Event, Payment

__all__ = ["alert", "announce", "commit", "say", "write_event"]

_Result = TypeVar("_Result")
_LOCK_RETRIES: Final = 5
_RETRY_AFTER: Final = 0.05  # seconds, doubled each time


def commit(work: Callable[[], _Result]) -> _Result:
    """Run database work in a transaction of its own, which is on disk when this returns.

    A deadlock or a lock that is not to be had is tried again: nothing of it was committed. Raises RuntimeError
    inside an open transaction, which could still undo what must not be undone.
    """
    database = router.db_for_write(Payment)
    for attempt in range(_LOCK_RETRIES):
        with contextlib.suppress(OperationalError), transaction.atomic(using=database, durable=True):
            return work()
        time.sleep(_RETRY_AFTER * 2**attempt)
    with transaction.atomic(using=database, durable=True):
        return work()


def write_event(payment: Payment, name: str, *, source: str, **data: Any) -> None:
    """Add a line to the payment's story; call it inside ``commit``."""
    Event.objects.create(payment=payment, name=name, source=source[:150], data=data)


def announce(signal: Signal, **arguments: Any) -> None:
    """Send a signal after commit; a receiver's error is logged and goes no further."""
    try:
        answers = signal.send_robust(sender=Payment, **arguments)
    except Exception as error:
        # Django's own report of a receiver's error fails when the receiver has no name, as an object or a partial.
        say(logging.ERROR, "a receiver of our signal failed, and so did the report: %s", type(error).__name__)
        return
    for receiver, answer in answers:
        if isinstance(answer, Exception):
            say(logging.ERROR, "a receiver of our signal failed: %s, %s", receiver, type(answer).__name__)


def alert(message: str, *arguments: object) -> None:
    """Tell a person, through the log, that something waits for them."""
    say(logging.ERROR, message, *arguments)
