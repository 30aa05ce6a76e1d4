"""Commits, the audit log, log lines, signals and alerts, for all other services.

A change of state is written to the payment's history and to the log by one function, ``record_event``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID, uuid4

from django.db import InterfaceError, OperationalError, connections, router, transaction
from django.dispatch import Signal

from snipcart_checkout.exceptions import TransactionOpen
from snipcart_checkout.models import Event, Payment
from snipcart_checkout.services.log import log
from snipcart_checkout.signals import payment_needs_review

_Result = TypeVar("_Result")
_RETRIES: Final = 5
_RETRY_AFTER: Final = 0.05  # seconds, doubled each time
_lines: ContextVar[list[tuple[Any, ...]] | None] = ContextVar("_lines", default=None)

CASE_OPENED: Final = {"resolved_at": None, "reported_at": None}
"""The columns that open a case of a payment: not closed by staff, not reported yet."""


@dataclass(frozen=True)
class Actor:
    """Who brings about a change; ``name`` is the member of staff."""

    source: Event.Source
    name: str = ""

    def __str__(self) -> str:
        return f"{self.source} {self.name}".strip()


SHOPPER: Final = Actor(Event.Source.SHOPPER)
PROVIDER: Final = Actor(Event.Source.PROVIDER)
SETTLE: Final = Actor(Event.Source.SETTLE)
SNIPCART: Final = Actor(Event.Source.SNIPCART)


def staff(name: str) -> Actor:
    """Return a member of staff."""
    return Actor(Event.Source.STAFF, name)


def commit(work: Callable[[], _Result], *, recall: Callable[[], _Result | None] | None = None) -> _Result:
    """Run database work in a transaction of its own, which is committed when this returns.

    After a deadlock, a lock timeout or a lost connection the work is tried again, after a lost
    connection with a new one. The connection may be lost between COMMIT and its answer, and the
    COMMIT may come to its end after that. Work that must not happen twice therefore comes with
    ``recall``, which returns what an earlier run committed, or None. Values that such work compares
    or creates are fixed before the call. What the site does after a commit, and fails at, is logged
    and does not undo what was recalled.

    Raises TransactionOpen inside an open transaction, whose rollback would undo the work, and where
    AUTOCOMMIT is off.
    """
    database = router.db_for_write(Payment)
    _refuse_open_transaction(database)
    for retry in range(_RETRIES):
        try:
            return _commit_once(work, recall or _recall_nothing, database, is_repeat=retry > 0)
        except (InterfaceError, OperationalError):
            replace_broken_connection()
            time.sleep(_RETRY_AFTER * 2**retry)
    return _commit_once(work, recall or _recall_nothing, database, is_repeat=True)


def _commit_once(
    work: Callable[[], _Result], recall: Callable[[], _Result | None], database: str, *, is_repeat: bool
) -> _Result:
    """Return what an earlier run committed, or run and commit the work and write the log lines of its events."""
    lines: list[tuple[Any, ...]] = []
    token = _lines.set(lines)
    try:
        result = recall() if is_repeat else None
        if result is None:
            result = _run(work, recall, database, is_repeat=is_repeat)
    finally:
        _lines.reset(token)
    for line in lines:
        log(*line)
    return result


def _run(
    work: Callable[[], _Result], recall: Callable[[], _Result | None], database: str, *, is_repeat: bool
) -> _Result:
    """Run the work; where it comes to nothing because an earlier run was committed meanwhile, return what that one did."""
    try:
        with transaction.atomic(using=database, durable=True):
            result = work()
    except (InterfaceError, OperationalError):
        raise
    except Exception as error:
        earlier = recall()
        if earlier is None:
            raise
        if not is_repeat:
            log(logging.ERROR, "what this site does after a commit failed: %s", type(error).__name__)
        return earlier
    earlier = recall() if is_repeat and not result else None
    return result if earlier is None else earlier


def _recall_nothing() -> None:
    """Recall the earlier runs of work of which there were none, or that may happen twice."""


def _refuse_open_transaction(database: str) -> None:
    connection = connections[database]
    if connection.in_atomic_block:
        # Django's TestCase wraps each test in a block that it marks as its own.
        if getattr(connection.atomic_blocks[-1], "_from_testcase", False):
            return
        raise TransactionOpen("a transaction is open around the request; take it away from our addresses")
    is_connected = connection.connection is not None
    if not (connection.autocommit if is_connected else connection.settings_dict["AUTOCOMMIT"]):
        # Django's atomic blocks commit nothing then: the record of money taken would go with the connection.
        raise TransactionOpen("AUTOCOMMIT is off for the ledger's database, so nothing would stay")


def replace_broken_connection() -> None:
    """Close the ledger's connection if it is unusable, so that the next query opens a new one."""
    connection = connections[router.db_for_write(Payment)]
    if connection.connection is not None and not connection.in_atomic_block and not connection.is_usable():
        connection.close()


def record_event(
    payment: Payment, name: Event.Name, *, actor: Actor, uid: UUID | None = None, **data: Any
) -> None:
    """Add a line to the payment's history and, once it is committed, to the log; call it inside ``commit``.

    ``uid`` makes the event recognisable to a ``recall``. ``data`` holds neither secrets nor personal data.
    """
    given = {key: value for key, value in data.items() if value not in ("", None)}
    Event.objects.create(
        uid=uid or uuid4(),
        payment=payment,
        name=name,
        source=actor.source,
        actor=actor.name[:150],
        data=given,
    )
    lines = _lines.get()
    if lines is not None:
        details = "".join(f" {key}={value}" for key, value in given.items() if key != "note")
        lines.append((logging.INFO, "payment %s: %s%s (%s)", payment.reference, name.value, details, actor))


def is_recorded(uid: UUID) -> bool | None:
    """Return True for an event that is committed, else None: the ``recall`` of a change of state."""
    return Event.objects.filter(uid=uid).exists() or None


def send_signal(signal: Signal, **arguments: Any) -> None:
    """Send a signal after the commit; an error of a receiver is logged, not raised."""
    try:
        answers = signal.send_robust(sender=Payment, **arguments)
    except Exception as error:
        # Django's own report of a receiver's error fails when the receiver has no name, as an object or a partial.
        log(logging.ERROR, "a receiver of our signal failed, and so did the report: %s", type(error).__name__)
        return
    for receiver, answer in answers:
        if isinstance(answer, Exception):
            log(logging.ERROR, "a receiver of our signal failed: %s, %s", receiver, type(answer).__name__)


def alert_staff(message: str, *arguments: object) -> None:
    """Alert staff with one line of level ERROR in the log."""
    log(logging.ERROR, message, *arguments)


def alert_review(payment: Payment, reason: str) -> None:
    """Alert staff that a payment needs review, and send the signal for it."""
    alert_staff("payment %s needs review: %s", payment.reference, reason)
    send_signal(payment_needs_review, payment=payment, reason=reason)
