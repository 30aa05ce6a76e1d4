"""The actions of staff on a payment; each is recorded in its history."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Final
from uuid import uuid4

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from snipcart_checkout.backends.base import Declined, Paid
from snipcart_checkout.models import Confirmation, Event, Payment, Refund
from snipcart_checkout.presentation.declines import EXPIRED
from snipcart_checkout.services import open_cases
from snipcart_checkout.services.audit_log import is_recorded, record_event, staff
from snipcart_checkout.services.confirmations import WITH_ORDER, requeue
from snipcart_checkout.services.decisions import TOKEN_EMPTIED
from snipcart_checkout.services.delivery import deliver_session
from snipcart_checkout.services.outcomes import (
    can_be_decided,
    record,
    record_staff_decision,
)
from snipcart_checkout.services.refunds import (
    can_be_ended,
    can_be_undone,
    free_session_of_refunded_case,
    leave_unsettled_to_staff,
    record_by_hand,
    record_refund_decision,
    refund_payment,
    undo_by_hand,
)
from snipcart_checkout.services.transactions import commit

_State = Payment.State
_Status = Confirmation.Status

RESOLUTIONS: Final = ("paid", "declined", "closed")
"""How a review may end: the money was taken, and Snipcart is notified; it was not taken; settled
elsewhere.
"""


def mark_received(
    payment: Payment,
    *,
    by: str,
    units: int | None = None,
    received_on: date | None = None,
    note: str = "",
) -> bool:
    """Record that staff saw money of a pending or expired payment arrive.

    ``units`` are minor units, all that is missing unless given; ``received_on`` is the day it
    arrived, today unless given. A part is recorded in the history. With the last part Snipcart is
    notified ``processed``; where the order was paid in another way meanwhile, the payment goes to
    review. False when the payment is in another state, or was changed since it was read. Raises
    ValueError for an amount that is not positive, or more than is missing.
    """
    if not can_be_received(payment):
        return False
    missing = get_missing_minor_units(payment)
    received = missing if units is None else units
    if not 0 < received <= missing:
        raise ValueError(f"{received} of {missing} missing minor units cannot be received")
    if received < missing:
        return _record_part(payment, received, received_on or get_today(), note=note, by=by)
    transaction_id = payment.transaction_id or str(payment.reference)
    paid = Paid(transaction_id, payment.amount, payment.currency)
    record(payment, paid, actor=staff(by), captured_at=_to_moment(received_on), note=note)
    return payment.state in {_State.PAID, _State.REVIEW}


def get_missing_minor_units(payment: Payment) -> int:
    """Return how much of a payment's amount was not received yet, in minor units."""
    parts = payment.events.filter(name=Event.Name.PART_RECEIVED).values_list("data", flat=True)
    return payment.minor_units - sum(int(data["minor_units"]) for data in parts)


def _record_part(payment: Payment, units: int, received_on: date, *, note: str, by: str) -> bool:
    uid = uuid4()

    def work() -> bool:
        # The version makes two concurrent parts exclude each other, so that their sum never exceeds
        # the amount.
        if not Payment.objects.transition(payment, payment.state):
            return False
        record_event(
            payment,
            Event.Name.PART_RECEIVED,
            actor=staff(by),
            uid=uid,
            minor_units=units,
            received=received_on,
            note=note,
        )
        return True

    recorded = commit(work, recall=lambda: is_recorded(uid))
    payment.refresh_from_db()
    return recorded


def get_today() -> date:
    """Return today's date in the site's time zone."""
    return get_day(timezone.now())


def get_day(moment: datetime) -> date:
    """Return the date of a moment in the site's time zone."""
    return (timezone.localtime(moment) if timezone.is_aware(moment) else moment).date()


def _to_moment(day: date | None) -> datetime | None:
    """Return noon of a day, which is the same date in most time zones; None for today."""
    if day is None or day == get_today():
        return None
    noon = datetime.combine(day, time(12))
    return timezone.make_aware(noon) if settings.USE_TZ else noon


def can_be_received(payment: Payment) -> bool:
    """Return whether the money may still arrive: a transfer may come after it expired."""
    expired = payment.state == _State.DECLINED and payment.decline_code == EXPIRED
    return expired or payment.state == _State.PENDING


def mark_expired(payment: Payment, *, by: str) -> bool:
    """Record that the money of a pending payment will not come; Snipcart is notified ``invalidated``.

    False when the payment is not pending any more.
    """
    if payment.state != _State.PENDING:
        return False
    record(payment, Declined(EXPIRED), actor=staff(by))
    return payment.state == _State.DECLINED


def refund_by_staff(payment: Payment, units: int, *, by: str) -> Refund:
    """Refund minor units for a member of staff; raises what ``refund_payment`` raises."""
    return refund_payment(payment, units, actor=staff(by))


def mark_given_back(
    payment: Payment, units: int, *, by: str, given_back_on: date | None = None, note: str = ""
) -> Refund | None:
    """Record that staff gave minor units of a payment back without its provider, as by a transfer of their own.

    ``given_back_on`` is the day, today unless given. The provider is not called and Snipcart not
    notified; when Snipcart requests the same amount later, it gets this refund. A closed review of
    which nothing is kept any more frees its session. None where a refund was requested since the
    payment was read. Raises ValueError for an amount that is not positive, or more than is left.
    """
    if not 0 < units <= payment.kept_minor_units:
        raise ValueError(
            f"{units} of {payment.kept_minor_units} kept minor units cannot have been given back"
        )
    return record_by_hand(
        payment,
        units,
        given_back_on=given_back_on or get_today(),
        at=_to_moment(given_back_on),
        note=note,
        actor=staff(by),
    )


def undo_given_back(refund: Refund, *, note: str, by: str) -> bool:
    """Record that money was marked as given back by mistake: its amount counts as kept again.

    A closed review that had freed its session is open again. False when the refund was not marked by
    staff, is undone already, or Snipcart's request was answered with it.
    """
    return undo_by_hand(refund, note=note, actor=staff(by))


def can_undo_given_back(refund: Refund) -> bool:
    """Return whether a refund is one that staff marked and may take back."""
    return can_be_undone(refund)


def count_events(payment: Payment) -> int:
    """Return how many events a payment has, by which a page can tell whether anything has happened since it was made.

    The provider's messages are not counted: what came of one is an event of its own.
    """
    return payment.events.exclude(name=Event.Name.NOTIFICATION).count()


def list_resolutions(payment: Payment) -> list[str]:
    """Return those of RESOLUTIONS that are possible for a payment now."""
    is_open = can_be_decided(payment)
    possible = {
        "paid": is_open and not payment.has_all_gone_back,
        "declined": is_open and not payment.captured_at,
        "closed": open_cases.needs_attention(payment),
    }
    return [resolution for resolution in RESOLUTIONS if possible[resolution]]


def resolve_review(payment: Payment, resolution: str, *, note: str, by: str) -> bool:
    """End a case with one of RESOLUTIONS and a note; False when there is nothing to resolve that way.

    ``paid`` accepts the order as Snipcart creates it from the cart at that moment, unless it can still
    be compared: an order that differs is withheld, and a second ``paid`` accepts it.
    """
    actor = staff(by)
    if resolution == "closed":
        return _close(payment, note=note, by=by)
    if resolution not in RESOLUTIONS:
        return False
    return record_staff_decision(payment, was_paid=resolution == "paid", note=note, actor=actor)


def _close(payment: Payment, *, note: str, by: str) -> bool:
    """Close a case; no more automatic work is done on it, and its session is free where all money went
    back.

    A confirmation that could not be delivered for an hour is part of the case: only staff can
    resend it.
    """
    uid = uuid4()

    def work() -> bool:
        now = timezone.now()
        open_ = Payment.objects.filter(pk=payment.pk, resolved_at__isnull=True)
        if not open_.update(resolved_at=now, form={}, version=F("version") + 1):
            return False
        _end_confirmations(payment)
        leave_unsettled_to_staff(payment)
        free_session_of_refunded_case(payment)
        record_event(payment, Event.Name.REVIEW_CLOSED, actor=staff(by), uid=uid, note=note)
        return True

    closed = commit(work, recall=lambda: is_recorded(uid))
    payment.refresh_from_db()
    return bool(closed)


def _end_confirmations(payment: Payment) -> None:
    """Put the pending confirmations of a closed case in review, except those of a paid order that are
    not late.
    """
    waiting = Confirmation.objects.pending().filter(payment_id=payment.pk)
    late = Q(alerted_at__isnull=False) | Q(created_at__lt=timezone.now() - open_cases.TOO_LONG)
    is_paid = Exists(Payment.objects.filter(pk=OuterRef("payment"), state=_State.PAID))
    waiting.exclude(~late & is_paid).update(
        status=_Status.REVIEW, lease_until=None, finished_at=timezone.now()
    )
    if not waiting.exists():
        Payment.objects.filter(pk=payment.pk).update(**TOKEN_EMPTIED)


def resolve_refund(refund: Refund, *, was_made: bool, note: str, by: str) -> bool:
    """End a refund that is unknown or in review: it was made after all, or it was not and its amount is free again.

    False when the refund is neither, or is being sent this moment.
    """
    return record_refund_decision(refund, was_made=was_made, note=note, actor=staff(by))


def can_resolve_refund(refund: Refund) -> bool:
    """Return whether staff may decide the outcome of a refund."""
    return can_be_ended(refund)


def list_undelivered(payment: Payment) -> list[Confirmation]:
    """Return the confirmations of a payment that were not delivered and still can be, in order.

    One that was withheld because of its order is left out: staff resolve the payment first.
    """
    waiting = payment.confirmations.filter(status__in=(_Status.PENDING, _Status.REVIEW)).order_by("pk")
    is_in_review = payment.state == _State.REVIEW
    return [
        confirmation
        for confirmation in waiting
        if not (is_in_review and confirmation.outcome in WITH_ORDER) and not _is_outdated(confirmation)
    ]


def redeliver(confirmation: Confirmation, *, by: str) -> bool:
    """Deliver a pending confirmation, or one in review, now; return whether it was delivered.

    False also when there is nothing to deliver any more: it was delivered, or something later of its session was,
    after which an older outcome would be wrong; and for an order that staff have to accept first.
    """
    if confirmation not in list_undelivered(Payment.objects.get(pk=confirmation.payment_id)):
        return False
    commit(lambda: _requeue(confirmation, by=by))
    confirmation.refresh_from_db()
    if confirmation.status != _Status.PENDING:
        return False
    deliver_session(confirmation.session_key, at_once=True)
    confirmation.refresh_from_db()
    return confirmation.status == _Status.DELIVERED


def _is_outdated(confirmation: Confirmation) -> bool:
    later = Confirmation.objects.filter(session_key=confirmation.session_key, pk__gt=confirmation.pk)
    return later.filter(status=_Status.DELIVERED).exists()


def _requeue(confirmation: Confirmation, *, by: str) -> None:
    if confirmation.status == _Status.REVIEW and requeue(confirmation):
        record_event(
            confirmation.payment,
            Event.Name.CONFIRMATION_RESENT,
            actor=staff(by),
            outcome=confirmation.outcome,
        )
