"""What waits for a person, and telling a person of it once."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta
from typing import Final, TypeVar

from django.db import DatabaseError
from django.db.models import F, Min, Model, Q, QuerySet
from django.utils import timezone

from snipcart_checkout.models import Confirmation, Payment, Refund
from snipcart_checkout.services.journal import alert, commit

__all__ = [
    "alert_about_delays",
    "alert_about_silence",
    "confirmations_in_review",
    "confirmations_untold_too_long",
    "payments_in_review",
    "payments_needing_person",
    "payments_unknown_too_long",
    "refunds_in_review",
    "refunds_unknown_too_long",
    "settling_overdue_since",
    "still_open",
]

_TOO_LONG: Final = timedelta(hours=1)
_OVERDUE: Final = timedelta(minutes=15)
_MOST_MISSED: Final = 20
_Row = TypeVar("_Row", bound=Model)


def payments_in_review() -> QuerySet[Payment]:
    """Return the payments that no machine can settle; a closed one is not among them."""
    return Payment.objects.filter(state=Payment.State.REVIEW, resolved_at__isnull=True)


def confirmations_in_review() -> QuerySet[Confirmation]:
    """Return what Snipcart refused to record or could not be told for three days."""
    return Confirmation.objects.filter(status=Confirmation.Status.REVIEW, payment__resolved_at__isnull=True)


def refunds_in_review() -> QuerySet[Refund]:
    """Return the refunds of which no machine can find out whether they were made."""
    return Refund.objects.filter(state=Refund.State.REVIEW, payment__resolved_at__isnull=True)


def still_open(began: str, *, payment: str = "") -> Q:
    """Return what leaves out the cases that staff closed; what began after that is a new case.

    ``began`` names the column with its beginning, ``payment`` leads from the row to its payment.
    """
    resolved = f"{payment}resolved_at"
    return Q(**{f"{resolved}__isnull": True}) | Q(**{f"{resolved}__lt": F(began)})


def payments_unknown_too_long() -> QuerySet[Payment]:
    """Return the payments of which nobody could tell for an hour whether they were paid."""
    return Payment.objects.filter(
        still_open("claimed_at"), state=Payment.State.UNKNOWN, claimed_at__lt=timezone.now() - _TOO_LONG
    )


def confirmations_untold_too_long() -> QuerySet[Confirmation]:
    """Return what could not be told for an hour, and what was refused with every key; it is still repeated."""
    old = Q(created_at__lt=timezone.now() - _TOO_LONG)
    # A person is alerted before that hour where Snipcart refused every key, or where nobody tries to tell it.
    return Confirmation.objects.owed().filter(
        old | Q(alerted_at__isnull=False), still_open("created_at", payment="payment__")
    )


def refunds_unknown_too_long() -> QuerySet[Refund]:
    """Return the refunds of which nobody could tell for an hour whether they were made."""
    return Refund.objects.filter(
        still_open("created_at", payment="payment__"),
        state__in=(Refund.State.ASKED, Refund.State.UNCERTAIN),
        created_at__lt=timezone.now() - _TOO_LONG,
    )


def payments_needing_person() -> QuerySet[Payment]:
    """Return the payments with anything of the above."""
    parts = (
        confirmations_in_review(),
        confirmations_untold_too_long(),
        refunds_in_review(),
        refunds_unknown_too_long(),
    )
    wanted = Q(pk__in=payments_in_review().values("pk")) | Q(pk__in=payments_unknown_too_long().values("pk"))
    for part in parts:
        wanted |= Q(pk__in=part.order_by().values("payment"))
    return Payment.objects.filter(wanted)


def alert_about_delays(limit: int) -> None:
    """Tell a person, once for each, of what is not known or not told for too long; the rest was said at once.

    At most ``limit`` of each kind, the others next time.
    """
    for payment in _not_alerted(payments_unknown_too_long(), limit):
        alert("payment %s: for an hour nobody could tell whether it was paid", payment.reference)
    for confirmation in _not_alerted(confirmations_untold_too_long(), limit):
        alert(
            "payment %s: for an hour Snipcart could not be told that it is %s",
            confirmation.payment_id,
            confirmation.state,
        )
    for refund in _not_alerted(refunds_unknown_too_long(), limit):
        alert("payment %s: for an hour nobody could tell whether a refund was made", refund.payment_id)


def _not_alerted(rows: QuerySet[_Row], limit: int) -> list[_Row]:
    """Note that a person is told of these rows now, and return those of which nobody else has told one."""
    waiting = rows.filter(alerted_at__isnull=True).order_by("pk")[:limit]
    return [row for row in waiting if commit(lambda row=row: _claim_alert(row))]  # type: ignore[misc]


def _claim_alert(row: Model) -> int:
    unsaid = type(row)._default_manager.filter(pk=row.pk, alerted_at__isnull=True)
    return unsaid.update(alerted_at=timezone.now())


def settling_overdue_since() -> datetime | None:
    """Return since when work has been due that ``snipcart_settle`` would have done; None when it seems to run.

    Nothing is said of a site where nothing is left to do.
    """
    confirmations, payments, refunds = _overdue()
    moments = (
        confirmations.aggregate(since=Min("due_at"))["since"],
        payments.aggregate(since=Min("claimed_at"))["since"],
        refunds.aggregate(since=Min("updated_at"))["since"],
    )
    return min(filter(None, moments), default=None)


def alert_about_silence() -> None:
    """Tell a person, once for each piece of work, that ``snipcart_settle`` seems not to run; never raises.

    Called by the site itself: a command that does not run cannot say so.
    """
    with contextlib.suppress(DatabaseError):
        missed = [row for rows in _overdue() for row in _not_alerted(rows, _MOST_MISSED)]
        if missed:
            alert("snipcart_settle seems not to run: work has been waiting for it for a quarter of an hour")


def _overdue() -> tuple[QuerySet[Confirmation], QuerySet[Payment], QuerySet[Refund]]:
    before = timezone.now() - _OVERDUE
    payments = Payment.objects.filter(
        Q(asked_at__isnull=True) | Q(asked_at__lt=before),
        still_open("claimed_at"),
        state__in=(Payment.State.CHARGING, Payment.State.UNKNOWN),
        claimed_at__lt=before,
    )
    refunds = Refund.objects.filter(
        state__in=(Refund.State.ASKED, Refund.State.UNCERTAIN), updated_at__lt=before
    )
    return Confirmation.objects.due().filter(due_at__lt=before), payments, refunds
