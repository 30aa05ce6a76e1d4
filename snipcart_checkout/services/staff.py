"""What staff may do with a payment, each with a word in its story."""

from __future__ import annotations

from typing import Final

from django.utils import timezone

from snipcart_checkout.backends.base import Declined, Paid
from snipcart_checkout.declines import LAPSED
from snipcart_checkout.models import Payment
from snipcart_checkout.services.journal import commit, write_event
from snipcart_checkout.services.outcomes import record, record_staff_word

__all__ = ["RESOLUTIONS", "mark_lapsed", "mark_received", "resolve_review"]

_State = Payment.State

RESOLUTIONS: Final = ("paid", "declined", "closed")
"""How a review may end: the money was taken and Snipcart is to be told; it was not taken; settled elsewhere."""


def mark_received(payment: Payment, *, by: str) -> bool:
    """Record that staff saw the money of a waiting payment arrive; Snipcart is told ``processed``.

    False when the payment waits no more.
    """
    if payment.state != _State.WAITING:
        return False
    transaction_id = payment.transaction_id or str(payment.reference)
    record(payment, Paid(transaction_id, payment.amount, payment.currency), source=f"staff {by}")
    return payment.state == _State.PAID


def mark_lapsed(payment: Payment, *, by: str) -> bool:
    """Record that the money of a waiting payment will not come; Snipcart is told ``invalidated``.

    False when the payment waits no more.
    """
    if payment.state != _State.WAITING:
        return False
    record(payment, Declined(LAPSED), source=f"staff {by}")
    return payment.state == _State.DECLINED


def resolve_review(payment: Payment, resolution: str, *, note: str, by: str) -> bool:
    """End a review with one of RESOLUTIONS and a note; False when there is nothing to resolve that way."""
    source = f"staff {by}"
    if resolution == "closed":
        return _close(payment, note=note, source=source)
    if resolution not in RESOLUTIONS:
        return False
    return record_staff_word(payment, was_paid=resolution == "paid", note=note, source=source)


def _close(payment: Payment, *, note: str, source: str) -> bool:
    def work() -> bool:
        rows = Payment.objects.filter(pk=payment.pk).update(resolved_at=timezone.now())
        write_event(payment, "review_closed", source=source, note=note)
        return rows == 1

    return commit(work)
