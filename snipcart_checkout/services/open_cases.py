"""The cases that need attention: which they are, and how many."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any, Final
from uuid import UUID

from django.db.models import F, Q, QuerySet

from snipcart_checkout.backends import get_backend
from snipcart_checkout.conf import get_settings
from snipcart_checkout.models import Confirmation, Payment, Refund
from snipcart_checkout.models.moments import long_ago

TOO_LONG: Final = timedelta(hours=1)
"""Staff are alerted of a payment, refund or confirmation that is still open after this time."""

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
