"""Commit to the ledger what must stay, whatever becomes of the request or the connection."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final, TypeAlias, TypeVar

from django.db import InterfaceError, OperationalError, connections, router, transaction

from snipcart_checkout.exceptions import TransactionOpen
from snipcart_checkout.models import Payment
from snipcart_checkout.services.logger import log

_Result = TypeVar("_Result")
_Line: TypeAlias = tuple[int, str, tuple[object, ...]]
_RETRIES: Final = 5
_RETRY_AFTER: Final = 0.05  # seconds, doubled each time
_lines: ContextVar[list[_Line] | None] = ContextVar("_lines", default=None)


def commit(work: Callable[[], _Result], *, recall: Callable[[], _Result | None] | None = None) -> _Result:
    """Run database work in a transaction of its own, which is committed when this returns.

    After a deadlock, a lock timeout or a lost connection the work is tried again, after a lost
    connection with a new one. The connection may be lost between COMMIT and its answer, and the
    COMMIT may come to its end after that. Work that must not happen twice therefore comes with
    ``recall``, which returns what an earlier run committed, or None. Values that such work compares
    or creates are fixed before the call. An error of the site's own code that runs
    after a commit is logged, not raised, where ``recall`` finds the work committed.

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
    """Return what an earlier run committed, or run and commit the work and write the lines that it left for the log."""
    lines: list[_Line] = []
    token = _lines.set(lines)
    try:
        result = recall() if is_repeat else None
        if result is None:
            result = _run(work, recall, database, is_repeat=is_repeat)
    finally:
        _lines.reset(token)
    for level, message, arguments in lines:
        log(level, message, *arguments)
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
            log(logging.ERROR, "code of this site that runs after a commit failed: %s", type(error).__name__)
        return earlier
    earlier = recall() if is_repeat and not result else None
    return result if earlier is None else earlier


def _recall_nothing() -> None:
    """Stand for the ``recall`` of work that may happen twice: no earlier run is looked for."""


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


def log_when_committed(level: int, message: str, *arguments: object) -> None:
    """Log one line once the work that ``commit`` runs at the moment is committed; nothing outside of it."""
    lines = _lines.get()
    if lines is not None:
        lines.append((level, message, arguments))
