"""The outbox: a confirmation is stored in the same transaction as the change that it reports."""

from __future__ import annotations

from typing import Final

from django.utils import timezone

from snipcart_checkout.models import Confirmation, Event, Payment
from snipcart_checkout.services.audit_log import Actor, record_event
from snipcart_checkout.services.refund_links import build_stored_link
from snipcart_checkout.snipcart import ConfirmationMessage

_Outcome = Confirmation.Outcome
_Status = Confirmation.Status

FINAL: Final = frozenset({_Outcome.PROCESSED, _Outcome.FAILED, _Outcome.INVALIDATED})
"""The outcomes after which no other is expected for a payment."""

WITH_ORDER: Final = frozenset({_Outcome.PROCESSING, _Outcome.PROCESSED})
"""The outcomes for which Snipcart creates an order, so that the order is compared before each delivery."""


def enqueue(payment: Payment, outcome: str, *, actor: Actor) -> None:
    """Store the confirmation of an outcome; call it in the transaction of the change that it reports.

    A ``processing`` that was not delivered yet is superseded by a final outcome. Each outcome of a
    payment is stored once; one in review becomes pending again.
    """
    if outcome in FINAL:
        _supersede_processing(payment, actor)
    stored, is_new = Confirmation.objects.get_or_create(
        payment=payment,
        outcome=outcome,
        defaults={"session_key": payment.session_key, "body": _build_message(payment, outcome).to_body()},
    )
    if not is_new:
        requeue(stored)


def requeue(confirmation: Confirmation) -> bool:
    """Make a confirmation that ended undelivered pending again, with the same bytes as message."""
    now = timezone.now()
    ended = Confirmation.objects.filter(pk=confirmation.pk, status__in=(_Status.REVIEW, _Status.SUPERSEDED))
    return bool(
        ended.update(
            status=_Status.PENDING,
            created_at=now,
            due_at=now,
            attempts=0,
            lease_until=None,
            finished_at=None,
            alerted_at=None,
            overdue_alerted_at=None,
        )
    )


def _build_message(payment: Payment, outcome: str) -> ConfirmationMessage:
    has_order = outcome in WITH_ORDER
    return ConfirmationMessage(
        session_id=payment.session_id,
        outcome=outcome,
        transaction_id=payment.transaction_id or str(payment.reference),
        instructions=payment.instructions if has_order else "",
        refund_url=build_stored_link(payment) if has_order else "",
        error_code="" if has_order else payment.decline_code,
        error_message="" if has_order else payment.decline_message,
    )


def _supersede_processing(payment: Payment, actor: Actor) -> None:
    waiting = Confirmation.objects.pending().filter(
        payment=payment, outcome=_Outcome.PROCESSING, lease_until__isnull=True
    )
    if waiting.update(status=_Status.SUPERSEDED, finished_at=timezone.now()):
        record_event(
            payment, Event.Name.CONFIRMATION_SUPERSEDED, actor=actor, outcome=_Outcome.PROCESSING.value
        )
