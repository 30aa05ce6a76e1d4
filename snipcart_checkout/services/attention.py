"""The cases that need attention, and one alert of staff for each."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any, Final
from uuid import UUID

from django.db import Error
from django.db.models import F, Model, Q, QuerySet
from django.utils import timezone

from snipcart_checkout.backends import get_backend
from snipcart_checkout.conf import get_settings
from snipcart_checkout.models import Confirmation, Payment, Refund
from snipcart_checkout.models.moments import long_ago
from snipcart_checkout.services.alerts import alert_staff
from snipcart_checkout.services.transactions import commit

TOO_LONG: Final = timedelta(hours=1)
"""Staff are alerted of a payment, refund or confirmation that is still open after this time."""

_OVERDUE: Final = timedelta(minutes=15)
_NAMED: Final = 5
_MOST: Final = 100_000
_BATCH: Final = 500
_State = Payment.State
_OPEN_STATES: Final = (_State.CHARGING, _State.PENDING, _State.UNKNOWN)


def payments_in_review() -> QuerySet[Payment]:
    """Return the payments with an open case: those that cannot be settled automatically, and those
    with a warning.
    """
    # `> ''` rather than `<> ''`, so that the database can use an index.
    return Payment.objects.filter(review_reason__gt="", resolved_at__isnull=True)


def confirmations_in_review() -> QuerySet[Confirmation]:
    """Return the confirmations that Snipcart refused, that could not be delivered for three days, or
    that must not be sent.
    """
    return Confirmation.objects.filter(status=Confirmation.Status.REVIEW, payment__resolved_at__isnull=True)


def refunds_in_review() -> QuerySet[Refund]:
    """Return the refunds whose outcome cannot be found out automatically."""
    return Refund.objects.filter(state=Refund.State.REVIEW, payment__resolved_at__isnull=True)


def still_open(began: str, *, payment: str = "") -> Q:
    """Return a ``Q`` that excludes closed cases; a row that began after its case was closed is a new case.

    ``began`` names the column with the row's beginning; ``payment`` is the prefix of a lookup from
    the row to its payment.
    """
    resolved = f"{payment}resolved_at"
    return Q(**{f"{resolved}__isnull": True}) | Q(**{f"{resolved}__lt": F(began)})


def waiting_for_staff() -> Q:
    """Return a ``Q`` that finds the pending payments of methods whose outcome only staff can know."""
    manual = [
        Q(store=store.name, method=method.id)
        for store in get_settings().stores.values()
        for method in store.methods.values()
        if _is_manual(store, method)
    ]
    return reduce(or_, manual, Q(pk__in=())) & Q(state=_State.PENDING)


def _is_manual(store: object, method: object) -> bool:
    try:
        return not get_backend(store, method).can_lookup  # type: ignore[arg-type]
    except Exception:  # a third-party backend may raise anything while it is built
        return False


def payments_unanswered_for(time: timedelta) -> QuerySet[Payment]:
    """Return the unfinished payments without any usable answer of the provider for so long."""
    unfinished = Payment.objects.filter(
        still_open("claimed_at"),
        long_ago("answered_at", time),
        long_ago("claimed_at", time),
        state__in=_OPEN_STATES,
    )
    return unfinished.exclude(waiting_for_staff())


def payments_unknown_too_long() -> QuerySet[Payment]:
    """Return the payments whose outcome has been unknown for an hour."""
    return payments_unanswered_for(TOO_LONG)


def confirmations_undelivered_too_long() -> QuerySet[Confirmation]:
    """Return the confirmations that could not be delivered for an hour, or that Snipcart refused with
    every key; they are still retried.
    """
    old = long_ago("created_at", TOO_LONG)
    # Where Snipcart refused every key, staff are alerted before that hour is over.
    return Confirmation.objects.pending().filter(
        old | Q(alerted_at__isnull=False), still_open("created_at", payment="payment__")
    )


def refunds_unknown_too_long() -> QuerySet[Refund]:
    """Return the refunds whose outcome has been unknown for an hour."""
    return Refund.objects.filter(
        still_open("created_at", payment="payment__"),
        long_ago("created_at", TOO_LONG),
        state__in=(Refund.State.REQUESTED, Refund.State.UNKNOWN),
    )


def payments_needing_attention() -> QuerySet[Payment]:
    """Return the payments with a case of any kind; this may read a large ledger as a whole."""
    wanted = Q()
    for rows, of_payment in _sources():
        wanted |= Q(pk__in=rows.order_by().values(of_payment))
    return Payment.objects.filter(wanted)


def find_payments_needing_attention(most: int, *, unreported: bool = False) -> list[UUID]:
    """Return the references of at most ``most`` payments with a case of any kind, in no order.

    With ``unreported`` only those that ``snipcart_settle`` has not reported yet. Each kind has its
    own query with its own index and limit, because databases do not combine them well, and after an
    outage there may be very many rows.
    """
    found: dict[UUID, None] = {}
    for rows, of_payment in _sources():
        reported_at = "reported_at" if of_payment == "pk" else f"{of_payment}__reported_at"
        wanted = rows.filter(**{f"{reported_at}__isnull": True}) if unreported else rows
        keys = wanted.order_by().values_list(of_payment, flat=True)
        found.update(dict.fromkeys(keys[:most]))
        if len(found) >= most:
            break
    return list(found)[:most]


def needs_attention(payment: Payment) -> bool:
    """Return whether a payment has a case of any kind."""
    return any(rows.filter(**{of_payment: payment.pk}).exists() for rows, of_payment in _sources())


def _sources() -> list[tuple[QuerySet[Any], str]]:
    """Return the rows of each kind of case, with the name of the lookup from a row to its payment."""
    return [
        (payments_in_review(), "pk"),
        (payments_unknown_too_long(), "pk"),
        (confirmations_in_review(), "payment"),
        (refunds_in_review(), "payment"),
        (refunds_unknown_too_long(), "payment"),
        (confirmations_undelivered_too_long(), "payment"),
    ]


@dataclass(frozen=True, kw_only=True)
class OpenCases:
    """The number of open cases, by kind."""

    payments_in_review: int = 0
    confirmations_in_review: int = 0
    refunds_in_review: int = 0
    payments_unknown_too_long: int = 0
    confirmations_undelivered_too_long: int = 0
    refunds_unknown_too_long: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(vars(self).values())


def count_open_cases() -> OpenCases:
    """Count the open cases."""
    return OpenCases(
        payments_in_review=payments_in_review().count(),
        confirmations_in_review=confirmations_in_review().count(),
        refunds_in_review=refunds_in_review().count(),
        payments_unknown_too_long=payments_unknown_too_long().count(),
        confirmations_undelivered_too_long=confirmations_undelivered_too_long().count(),
        refunds_unknown_too_long=refunds_unknown_too_long().count(),
    )


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
