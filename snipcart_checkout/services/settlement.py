"""Finish whatever was left: the work of ``manage.py snipcart_settle``."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import Q, QuerySet
from django.utils import timezone

from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.models import Confirmation, Payment, Refund
from snipcart_checkout.services.confirmations import deliver_due
from snipcart_checkout.services.journal import alert, commit, say
from snipcart_checkout.services.outcomes import ask_backend, backend_of, run_charge, set_aside
from snipcart_checkout.services.refunds import settle_refund

__all__ = ["SettlementReport", "payments_needing_person", "payments_unknown_too_long", "settle"]

_State = Payment.State
_ASK_AFTER: Final = timedelta(minutes=5)
_UNKNOWN_TOO_LONG: Final = timedelta(hours=1)
_REFUND_LEASE: Final = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class SettlementReport:
    """What one run did, and what waits for a person."""

    asked: int
    refunds_settled: int
    confirmations_told: int
    payments_in_review: int
    confirmations_in_review: int
    refunds_in_review: int
    unknown_too_long: int

    @property
    def needs_person(self) -> bool:
        """Whether anything will stay as it is until somebody looks."""
        return bool(
            self.payments_in_review
            or self.confirmations_in_review
            or self.refunds_in_review
            or self.unknown_too_long
        )


def settle(limit: int = 200) -> SettlementReport:
    """Ask about unfinished payments, repeat uncertain refunds, then tell Snipcart all that is due.

    Handles at most ``limit`` of each. Safe on many hosts at once, and may be killed at any point.
    """
    asked = sum(_ask_about(payment) for payment in _unfinished(limit))
    refunds_settled = sum(_settle_refund(refund) for refund in _uncertain_refunds(limit))
    told = deliver_due(limit)
    unknown = _alert_about_long_unknown()
    open_payments = Payment.objects.filter(resolved_at__isnull=True)
    return SettlementReport(
        asked=asked,
        refunds_settled=refunds_settled,
        confirmations_told=told,
        payments_in_review=open_payments.filter(state=_State.REVIEW).count(),
        confirmations_in_review=Confirmation.objects.filter(
            status=Confirmation.Status.REVIEW, payment__resolved_at__isnull=True
        ).count(),
        refunds_in_review=Refund.objects.filter(
            state=Refund.State.REVIEW, payment__resolved_at__isnull=True
        ).count(),
        unknown_too_long=unknown,
    )


def _unfinished(limit: int) -> list[Payment]:
    before = timezone.now() - _ASK_AFTER
    not_asked = Q(asked_at__isnull=True) | Q(asked_at__lt=before)
    crashed = Q(state=_State.CHARGING, claimed_at__lt=before)
    open_ = Q(state__in=(_State.UNKNOWN, _State.WAITING))
    # Those that were never asked about come first, so that a long list is worked through in turn.
    return list(Payment.objects.filter(crashed | open_, not_asked).order_by("asked_at", "claimed_at")[:limit])


def _ask_about(payment: Payment) -> bool:
    """Find out what came of a payment in the way that its backend allows; return whether anybody was asked."""
    backend = _backend(payment)
    if payment.state == _State.WAITING and (backend is None or not backend.can_lookup):
        return False
    if not _take_turn(payment):
        return False
    if backend is not None and backend.can_lookup:
        if not ask_backend(payment, source="settle") and payment.state == _State.CHARGING:
            set_aside(payment, _State.UNKNOWN, source="settle")
        return True
    if backend is not None and backend.repeat_is_safe:
        run_charge(payment, None, source="settle")
        return True
    set_aside(payment, _State.REVIEW, source="settle", reason="outcome_unknown")
    return False


def _backend(payment: Payment) -> PaymentBackend | None:
    try:
        return backend_of(payment)
    except Exception as error:  # configured no more, or broken: a person has to look
        say(
            logging.ERROR,
            "payment %s: its backend cannot be built: %s",
            payment.reference,
            type(error).__name__,
        )
        return None


def _take_turn(payment: Payment) -> bool:
    """Note that the payment is being asked about, so that other hosts leave it alone for a while."""
    now = timezone.now()
    mine = Payment.objects.filter(pk=payment.pk, state=payment.state)
    unchanged = (
        mine.filter(asked_at__isnull=True)
        if payment.asked_at is None
        else mine.filter(asked_at=payment.asked_at)
    )
    return commit(lambda: unchanged.update(asked_at=now)) == 1


def _uncertain_refunds(limit: int) -> list[Refund]:
    now = timezone.now()
    crashed = Q(state=Refund.State.ASKED, lease_until__lt=now)
    uncertain = Q(state=Refund.State.UNCERTAIN) & (Q(lease_until__isnull=True) | Q(lease_until__lt=now))
    refunds = Refund.objects.filter(crashed | uncertain).select_related("payment")
    return list(refunds.order_by("updated_at")[:limit])


def _settle_refund(refund: Refund) -> bool:
    now = timezone.now()
    free = Refund.objects.filter(pk=refund.pk, state=refund.state, updated_at=refund.updated_at)
    if not commit(lambda: free.update(lease_until=now + _REFUND_LEASE, updated_at=now)):
        return False
    return settle_refund(refund)


def _alert_about_long_unknown() -> int:
    """Tell a person, once for each, of payments that stay unknown; return how many there are."""
    unknown = payments_unknown_too_long()
    for payment in unknown.filter(alerted_at__isnull=True):
        first = Payment.objects.filter(pk=payment.pk, alerted_at__isnull=True)
        if commit(lambda first=first: first.update(alerted_at=timezone.now())):  # type: ignore[misc]
            alert("payment %s: for an hour nobody could tell whether it was paid", payment.reference)
    return unknown.count()


def payments_unknown_too_long() -> QuerySet[Payment]:
    """Return the payments of which nobody could tell for an hour whether they were paid."""
    long_ago = timezone.now() - _UNKNOWN_TOO_LONG
    return Payment.objects.filter(state=_State.UNKNOWN, claimed_at__lt=long_ago, resolved_at__isnull=True)


def payments_needing_person() -> QuerySet[Payment]:
    """Return the payments that stay as they are until somebody looks; a closed one is not among them."""
    untold = Confirmation.objects.filter(status=Confirmation.Status.REVIEW)
    unclear = Refund.objects.filter(state=Refund.State.REVIEW)
    return Payment.objects.filter(
        Q(state=_State.REVIEW)
        | Q(pk__in=payments_unknown_too_long().values("pk"))
        | Q(pk__in=untold.values("payment"))
        | Q(pk__in=unclear.values("payment")),
        resolved_at__isnull=True,
    )
