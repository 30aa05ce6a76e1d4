"""What the list of payments knows of each: how to find it, what Snipcart was told, and the totals of all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from snipcart_checkout.admin.words import money
from snipcart_checkout.models import Confirmation, Payment, Refund

__all__ = ["Total", "find_by_reference", "totals_of", "with_columns"]

# Columns that no page of the admin needs and some of which are secret: they are not even read.
_UNREAD = ("public_token", "form", "capability_hash", "redirect_url", "back_url", "return_url")
_HEX = re.compile(r"[0-9a-f]{8,32}")


def with_columns(payments: QuerySet[Payment]) -> QuerySet[Payment]:
    """Add what the list shows beside the ledger's columns: the last confirmation, and what was really refunded."""
    last = Confirmation.objects.filter(payment=OuterRef("pk")).order_by("-pk")
    made = (
        Refund.objects.filter(payment=OuterRef("pk"), state=Refund.State.REFUNDED)
        .order_by()
        .values("payment")
        .annotate(total=Sum("minor_units"))
    )
    return payments.defer(*_UNREAD).annotate(
        told_state=Subquery(last.values("state")[:1]),
        told_status=Subquery(last.values("status")[:1]),
        refunds_made=Coalesce(Subquery(made.values("total")), Value(0)),
    )


def find_by_reference(text: str) -> Q | None:
    """Return what finds a payment by its reference or a refund's, or by the first 8 digits or more of one.

    With or without dashes, in any casing; None when the text cannot be one.
    """
    digits = text.strip().replace("-", "").lower()
    if not _HEX.fullmatch(digits):
        return None
    # Written as databases with a type for UUIDs spell them; Django takes the dashes out for the others.
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    prefix = "-".join(filter(None, parts))
    refunds = Refund.objects.filter(id__istartswith=prefix).values("payment")
    return Q(reference__istartswith=prefix) | Q(pk__in=refunds)


@dataclass(frozen=True, kw_only=True)
class Total:
    """The payments of one currency in a list, added up; the amounts are written out."""

    currency: str
    count: int
    captured: str
    refunded: str
    uncertain: str


def totals_of(payments: QuerySet[Payment]) -> list[Total]:
    """Add up a list of payments by currency.

    ``refunded`` is what went back; ``uncertain`` is reserved for refunds of which that is not known, and empty
    when there are none.
    """
    return list(_totals(Payment.objects.filter(pk__in=payments.order_by().values("pk"))))


def _totals(payments: QuerySet[Payment]) -> Iterator[Total]:
    made = dict(
        Refund.objects.filter(payment__in=payments, state=Refund.State.REFUNDED)
        .order_by()
        .values_list("payment__currency")
        .annotate(units=Sum("minor_units"))
    )
    rows = payments.order_by("currency").values("currency")
    for row in rows.annotate(
        count=Count("pk"),
        captured=Sum("minor_units", filter=Q(captured_at__isnull=False), default=0),
        reserved=Sum("refunded_minor_units"),
    ):
        currency = row["currency"]
        refunded = made.get(currency, 0)
        uncertain = row["reserved"] - refunded
        yield Total(
            currency=currency,
            count=row["count"],
            captured=money(row["captured"], currency),
            refunded=money(refunded, currency),
            uncertain=money(uncertain, currency) if uncertain else "",
        )
