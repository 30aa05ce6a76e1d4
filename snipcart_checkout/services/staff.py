"""What staff may do with a payment, each with a word in its story."""

from __future__ import annotations

from typing import Final

from django.utils import timezone

from snipcart_checkout.backends.base import Declined, Paid
from snipcart_checkout.declines import LAPSED
from snipcart_checkout.models import Confirmation, Payment, Refund
from snipcart_checkout.services.confirmations import deliver_session
from snipcart_checkout.services.journal import commit, write_event
from snipcart_checkout.services.outcomes import record, record_staff_word
from snipcart_checkout.services.refunds import record_refund_word

__all__ = [
    "RESOLUTIONS",
    "awaits_money",
    "mark_lapsed",
    "mark_received",
    "resolve_refund",
    "resolve_review",
    "tell_again",
    "untold",
]

_State = Payment.State

RESOLUTIONS: Final = ("paid", "declined", "closed")
"""How a review may end: the money was taken and Snipcart is to be told; it was not taken; settled elsewhere."""


def mark_received(payment: Payment, *, by: str) -> bool:
    """Record that staff saw the money of a waiting or lapsed payment arrive; Snipcart is told ``processed``.

    False when the payment is in another state. Money of a lapsed one whose order was paid otherwise meanwhile goes
    to review.
    """
    if not awaits_money(payment):
        return False
    transaction_id = payment.transaction_id or str(payment.reference)
    record(payment, Paid(transaction_id, payment.amount, payment.currency), source=f"staff {by}")
    return payment.state in {_State.PAID, _State.REVIEW}


def awaits_money(payment: Payment) -> bool:
    """Return whether the money may still arrive: a transfer may come after it was given up."""
    lapsed = payment.state == _State.DECLINED and payment.decline_code == LAPSED
    return lapsed or payment.state == _State.WAITING


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
        open_ = Payment.objects.filter(pk=payment.pk, resolved_at__isnull=True)
        if not open_.update(resolved_at=timezone.now()):
            return False
        write_event(payment, "review_closed", source=source, note=note)
        return True

    return commit(work)


def resolve_refund(refund: Refund, *, was_made: bool, note: str, by: str) -> bool:
    """End the review of a refund: it was made after all, or it was not and its amount is free again.

    False when the refund is not, or no more, in review.
    """
    return record_refund_word(refund, was_made=was_made, note=note, source=f"staff {by}")


def untold(payment: Payment) -> list[Confirmation]:
    """Return what of a payment Snipcart has not heard and can still be told, in order."""
    unheard = (Confirmation.Status.OWED, Confirmation.Status.REVIEW)
    confirmations = payment.confirmations.filter(status__in=unheard).order_by("pk")
    return [confirmation for confirmation in confirmations if not _is_outdated(confirmation)]


def tell_again(confirmation: Confirmation, *, by: str) -> bool:
    """Tell Snipcart now what waits for its time, or what ended in review, and return whether it heard.

    False also when there is nothing to tell any more: it was told, or something later of its session was, after
    which an older state would be wrong.
    """
    if _is_outdated(confirmation):
        return False
    commit(lambda: _take_up_again(confirmation, source=f"staff {by}"))
    confirmation.refresh_from_db()
    if confirmation.status != Confirmation.Status.OWED:
        return False
    deliver_session(confirmation.session_key, at_once=True)
    confirmation.refresh_from_db()
    return confirmation.status == Confirmation.Status.TOLD


def _is_outdated(confirmation: Confirmation) -> bool:
    later = Confirmation.objects.filter(session_key=confirmation.session_key, pk__gt=confirmation.pk)
    return later.filter(status=Confirmation.Status.TOLD).exists()


def _take_up_again(confirmation: Confirmation, *, source: str) -> None:
    now = timezone.now()
    in_review = Confirmation.objects.filter(pk=confirmation.pk, status=Confirmation.Status.REVIEW)
    if in_review.update(
        status=Confirmation.Status.OWED,
        created_at=now,
        due_at=now,
        tries=0,
        finished_at=None,
        alerted_at=None,
    ):
        write_event(confirmation.payment, "told_again", source=source, state=confirmation.state)
