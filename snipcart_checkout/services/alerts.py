"""Alert staff of cases that take too long and of a missing ``snipcart_settle``: of each once."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import Error
from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from snipcart_checkout.models import Confirmation, Payment, Refund
from snipcart_checkout.services.announcements import alert_staff
from snipcart_checkout.services.open_cases import (
    confirmations_undelivered_too_long,
    find_payments_needing_attention,
    payments_unknown_too_long,
    refunds_unknown_too_long,
    still_open,
)
from snipcart_checkout.services.transactions import commit

_OVERDUE: Final = timedelta(minutes=15)
_NAMED: Final = 5
_MOST: Final = 100_000
_BATCH: Final = 500
_State = Payment.State


def report_new_cases() -> int:
    """Alert staff once of each case that takes too long, and return the number of newly affected payments.

    After an outage there is one alert for all of a kind. A payment counts as new until it was reported once; another
    case of the same payment makes it new again.
    """
    _alert_about(payments_unknown_too_long(), "pk", "for an hour nobody could tell what came of payments: %s")
    _alert_about(
        confirmations_undelivered_too_long(),
        "payment_id",
        "for an hour Snipcart could not be notified of the outcome of payments: %s",
    )
    _alert_about(
        refunds_unknown_too_long(),
        "payment_id",
        "for an hour nobody could tell whether refunds of these payments were made: %s",
    )
    keys: list[Any] = find_payments_needing_attention(_MOST, unreported=True)
    return _mark(Payment, keys, reported_at=timezone.now())


def _alert_about(rows: QuerySet[Model], reference: str, message: str) -> None:
    """Mark these rows as alerted, and alert staff of those that no other process has marked."""
    unsaid = rows.filter(alerted_at__isnull=True).order_by("pk")
    found = list(unsaid.values_list("pk", reference)[:_MOST])
    count = _mark(rows.model, [key for key, _ in found], alerted_at=timezone.now()) if found else 0
    if not count:
        return
    payments = [payment for _, payment in found]
    for start in range(0, len(payments), _BATCH):
        affected = Payment.objects.filter(pk__in=payments[start : start + _BATCH])
        commit(lambda affected=affected: affected.update(reported_at=None))  # type: ignore[misc]
    others = f" and {count - _NAMED} more" if count > _NAMED else ""
    alert_staff(message, ", ".join(map(str, payments[:_NAMED])) + others)


def _mark(model: type[Model], keys: list[Any], **columns: object) -> int:
    """Set a column of rows that nobody has set yet, some hundred at a time, and return how many they were."""
    return sum(
        _mark_some(model, keys[start : start + _BATCH], columns) for start in range(0, len(keys), _BATCH)
    )


def _mark_some(model: type[Model], keys: list[Any], columns: Mapping[str, object]) -> int:
    (column,) = columns
    rows = model._default_manager.filter(pk__in=keys)
    unmarked = rows.filter(**{f"{column}__isnull": True})
    # Whoever marks rows alerts staff of them: rows that a lost answer to COMMIT has marked count as marked here.
    return commit(lambda: unmarked.update(**columns), recall=lambda: rows.filter(**columns).count() or None)


def get_settle_overdue_since() -> datetime | None:
    """Return since when work for ``snipcart_settle`` has been overdue; None when the command seems to run.

    None as well where there is no such work.
    """
    confirmations, payments, refunds = _overdue()
    # Ordered, with a limit of one: an aggregate would read every row.
    moments = (
        confirmations.order_by("due_at").values_list("due_at", flat=True).first(),
        payments.order_by("claimed_at").values_list("claimed_at", flat=True).first(),
        refunds.order_by("updated_at").values_list("updated_at", flat=True).first(),
    )
    return min(filter(None, moments), default=None)


def alert_about_missing_settle() -> None:
    """Alert staff, once for each piece of overdue work, that ``snipcart_settle`` seems not to run;
    never raises.

    The web processes call this, because a command that does not run cannot report it.
    """
    with contextlib.suppress(Error):
        now = timezone.now()
        missed = 0
        for rows in _overdue():
            keys = list(rows.filter(overdue_alerted_at__isnull=True).values_list("pk", flat=True)[:500])
            missed += _mark(rows.model, keys, overdue_alerted_at=now)
        if missed:
            alert_staff("snipcart_settle seems not to run: work has been waiting for it for 15 minutes")


def _overdue() -> tuple[QuerySet[Confirmation], QuerySet[Payment], QuerySet[Refund]]:
    before = timezone.now() - _OVERDUE
    is_left_alone = Q(looked_up_at__isnull=True) | Q(looked_up_at__lt=before)
    payments = Payment.objects.filter(
        is_left_alone,
        still_open("claimed_at"),
        state__in=(_State.CHARGING, _State.UNKNOWN),
        claimed_at__lt=before,
    )
    refunds = Refund.objects.filter(
        is_left_alone, state__in=(Refund.State.REQUESTED, Refund.State.UNKNOWN), updated_at__lt=before
    )
    return Confirmation.objects.due().filter(due_at__lt=before), payments, refunds
