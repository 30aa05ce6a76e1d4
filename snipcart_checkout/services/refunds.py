"""Refund money: reserved before the backend is called, safe to repeat, and looked up again while it
may still fail.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from django.db import DatabaseError
from django.db.models import F, Q
from django.utils import timezone

from snipcart_checkout.backends.base import NotFound, PaymentBackend, RefundDeclined, Refunded
from snipcart_checkout.backends.http import provider_slot
from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.exceptions import ProviderBusy, RefundNotPossible, RefundUnknown
from snipcart_checkout.models import Event, Payment, Refund
from snipcart_checkout.models.moments import is_lease_over, is_unleased
from snipcart_checkout.services.announcements import CASE_OPENED, alert_review, alert_staff, send_signal
from snipcart_checkout.services.audit_log import SETTLE, SNIPCART, Actor, is_recorded, record_event
from snipcart_checkout.services.backend_calls import (
    call_refund,
    call_refund_lookup,
    find_payment_backend,
    to_ascii,
    to_text,
)
from snipcart_checkout.services.logger import log
from snipcart_checkout.services.repeated_refunds import (
    UNANSWERED,
    UNSETTLED,
    answer_again,
    find_earlier,
    record_match,
)
from snipcart_checkout.services.transactions import commit
from snipcart_checkout.signals import payment_refunded

_State = Refund.State
_Decline = Refund.DeclineReason
_LEASE: Final = timedelta(minutes=5)
_GIVE_UP_AFTER: Final = timedelta(hours=72)
_PROVISIONAL_FOR: Final = timedelta(days=10)
_RESERVATIONS: Final = 20
_WORDS: Final = {"provider_refund_id": 255, "decline_code": 100}
_EVENTS: Final = {
    _State.REFUNDED: Event.Name.REFUND_REFUNDED,
    _State.DECLINED: Event.Name.REFUND_DECLINED,
    _State.UNKNOWN: Event.Name.REFUND_UNKNOWN,
    _State.REVIEW: Event.Name.REFUND_REVIEW,
}


def refund_payment(payment: Payment, units: int, *, actor: Actor) -> Refund:
    """Refund minor units of a payment and return the refund that was made.

    The same amount again within ten minutes, or while the first is unknown, is a repeat and gets
    the first one's answer. When Snipcart requests the amount of a refund that staff made and that
    no earlier request has matched, it gets that refund: no money moves. Raises RefundNotPossible
    (nothing was refunded), RefundUnknown (the amount stays reserved), or ProviderBusy (nothing was
    stored or sent). Must run outside any transaction.
    """
    refund = _refund(payment, units, actor)
    if actor == SNIPCART and not record_match(refund):
        raise RefundNotPossible(_("Staff took this refund back a moment ago; request it again."))
    return refund


def _refund(payment: Payment, units: int, actor: Actor) -> Refund:
    earlier = find_earlier(payment, units, actor)
    is_made = earlier is not None and earlier.state == _State.REFUNDED
    if actor == SNIPCART and payment.state != Payment.State.PAID and not is_made:
        # A payment in review may have been captured, but then staff decide about its money.
        raise RefundNotPossible(_("This payment is not paid, so nothing of it can be refunded."))
    if earlier is not None:
        return answer_again(earlier)
    backend = _get_refunding_backend(payment, units)
    with provider_slot(payment.store, payment.method):
        refund, is_repeat = _reserve(payment, units, actor)
        if not is_repeat:
            return _call_backend(refund, backend, actor=actor)
    return answer_again(refund)


def supports_refund(payment: Payment) -> bool:
    """Return whether the payment's method can refund at all."""
    backend = find_payment_backend(payment)
    return backend is not None and backend.supports_refund


def _get_refunding_backend(payment: Payment, units: int) -> PaymentBackend:
    backend = find_payment_backend(payment)
    if backend is None or not backend.supports_refund:
        raise RefundNotPossible(
            _("This payment method cannot refund; give the money back by hand, and mark it in the admin.")
        )
    if units < (payment.captured_minor_units or payment.minor_units) and not backend.supports_partial_refund:
        raise RefundNotPossible(_("This payment method can refund the whole payment only."))
    return backend


def _reserve(payment: Payment, units: int, actor: Actor) -> tuple[Refund, bool]:
    """Reserve the amount, or find the refund that this one repeats.

    The counter makes concurrent requests exclude each other: the first reservation is visible to
    the next request.
    """
    for _attempt in range(_RESERVATIONS):
        payment.refresh_from_db()
        if earlier := find_earlier(payment, units, actor):
            return earlier, True
        if not payment.captured_at:
            raise RefundNotPossible(_("No money was taken with this payment."))
        if units > payment.refundable_minor_units:
            raise RefundNotPossible(_("More than is left of this payment cannot be refunded."))
        refund = _try_reserve(payment, units, actor)
        if refund is not None:
            # Receivers of payment_refunded have to see the total that includes this refund.
            payment.refresh_from_db()
            refund.payment = payment
            return refund, False
    raise RefundUnknown(_("Too many refunds of this payment are requested at once; try again."))


def _try_reserve(payment: Payment, units: int, actor: Actor) -> Refund | None:
    # Fixed before the commit, whose answer may be lost: a retry must not reserve again.
    refund_id = uuid4()

    def work() -> Refund | None:
        now = timezone.now()
        if not _take_from(payment, units):
            return None
        refund = Refund.objects.create(
            pk=refund_id,
            payment=payment,
            minor_units=units,
            requested_by=actor.name[:150],
            lease_until=now + _LEASE,
        )
        record_event(
            payment, Event.Name.REFUND_REQUESTED, actor=actor, refund=str(refund_id), minor_units=units
        )
        return refund

    return commit(work, recall=lambda: Refund.objects.filter(pk=refund_id).first())


def _take_from(payment: Payment, units: int) -> bool:
    """Count minor units of a payment as refunded, inside a commit; False where that many are not left, or a refund was
    requested since the payment was read.
    """
    seen = payment.refunds_requested
    row = Payment.objects.filter(
        pk=payment.pk,
        refunds_requested=seen,
        refunded_minor_units__lte=F("captured_minor_units") - units,
    )
    reserved = F("refunded_minor_units") + units
    taken = row.update(refunded_minor_units=reserved, refunds_requested=seen + 1, updated_at=timezone.now())
    return taken == 1


def record_by_hand(
    payment: Payment, units: int, *, given_back_on: date, at: datetime | None, note: str, actor: Actor
) -> Refund | None:
    """Record a refund that staff made without the provider, which is not called; ``at`` is its moment, now unless given.

    None where more than is left of the payment, or a refund was requested since it was read.
    """
    refund_id = uuid4()

    def work() -> Refund | None:
        if not _take_from(payment, units):
            return None
        refund = Refund.objects.create(
            pk=refund_id,
            payment=payment,
            minor_units=units,
            state=_State.REFUNDED,
            is_by_hand=True,
            requested_by=actor.name[:150],
            created_at=at or timezone.now(),
        )
        free_session_of_refunded_case(payment)
        record_event(
            payment,
            Event.Name.REFUND_BY_HAND,
            actor=actor,
            refund=str(refund_id),
            minor_units=units,
            given_back=given_back_on,
            note=note,
        )
        return refund

    refund = commit(work, recall=lambda: Refund.objects.filter(pk=refund_id).first())
    payment.refresh_from_db()
    if refund is not None:
        refund.payment = payment
        send_signal(payment_refunded, payment=payment, refund=refund)
    return refund


def can_be_undone(refund: Refund) -> bool:
    """Return whether a refund was only recorded by hand, and Snipcart does not know of it."""
    return refund.is_by_hand and refund.state == _State.REFUNDED and refund.matched_at is None


def undo_by_hand(refund: Refund, *, note: str, actor: Actor) -> bool:
    """Release the amount of a refund that staff recorded by mistake; a case whose session it had freed is open again.

    False when it ``can_be_undone`` no more.
    """
    uid = uuid4()
    recorded = Refund.objects.filter(
        pk=refund.pk, is_by_hand=True, state=_State.REFUNDED, matched_at__isnull=True
    )
    freed = Payment.objects.filter(
        pk=refund.payment_id, state=Payment.State.REVIEW, resolved_at__isnull=False, live_key__isnull=True
    )

    def work() -> bool:
        undone = {"state": _State.DECLINED, "decline_reason": _Decline.STAFF, "updated_at": timezone.now()}
        if not recorded.update(**undone):
            return False
        _update_payment(refund.payment, refund, _State.DECLINED)
        freed.update(**CASE_OPENED)
        record_event(
            refund.payment,
            Event.Name.REFUND_UNDONE,
            actor=actor,
            uid=uid,
            refund=str(refund.pk),
            minor_units=refund.minor_units,
            note=note,
        )
        return True

    done = commit(work, recall=lambda: is_recorded(uid))
    refund.refresh_from_db()
    return done


def _call_backend(refund: Refund, backend: PaymentBackend, *, actor: Actor) -> Refund:
    result = _within_slot(refund, lambda: call_refund(refund))
    if isinstance(result, Refunded):
        return _note_refunded(refund, result, backend, actor=actor)
    if isinstance(result, RefundDeclined):
        code = to_text(result.code, 100)
        _conclude(refund, _State.DECLINED, actor=actor, decline_reason=_Decline.PROVIDER, decline_code=code)
        raise RefundNotPossible(to_text(result.message) or _("The provider declined the refund."))
    _conclude(refund, _State.UNKNOWN, actor=actor)
    raise RefundUnknown(_("It is not known yet whether this amount was refunded."))


def _within_slot(refund: Refund, call: Callable[[], Any]) -> Any:
    try:
        with provider_slot(refund.payment.store, refund.payment.method):
            return call()
    except ProviderBusy:
        return None


def _note_refunded(refund: Refund, result: Refunded, backend: PaymentBackend, *, actor: Actor) -> Refund:
    is_provisional = bool(result.pending and backend.can_lookup_refund)
    refund_id = to_text(result.refund_id, 255)
    columns: dict[str, Any] = {"provider_refund_id": refund_id, "is_provisional": is_provisional}
    if _conclude(refund, _State.REFUNDED, actor=actor, **columns):
        send_signal(payment_refunded, payment=refund.payment, refund=refund)
    elif refund.state != _State.REFUNDED:
        alert_staff(
            "payment %s: refund %s was made, but the ledger has it as %s",
            refund.payment,
            refund,
            refund.state,
        )
    return refund


def settle_refund(refund: Refund) -> bool:
    """Look an unknown refund up, or repeat it under its own key where that is safe, else put it in review.

    Returns whether its outcome is now known. After three days it is put in review.
    """
    backend = find_payment_backend(refund.payment)
    is_old = refund.created_at < timezone.now() - _GIVE_UP_AFTER
    if backend is None or is_old or not (_is_repeatable(backend) or backend.can_lookup_refund):
        _leave_to_review(refund)
        return False
    if backend.can_lookup_refund and (settled := _look_up_unknown(refund, backend, actor=SETTLE)) is not None:
        return settled
    if not _is_repeatable(backend):
        return False
    try:
        return _call_backend(refund, backend, actor=SETTLE).state == _State.REFUNDED
    except RefundNotPossible:
        return True
    except RefundUnknown:
        return False


def _is_repeatable(backend: PaymentBackend) -> bool:
    claimed = backend.refund_repeat_is_safe
    return backend.supports_refund and (backend.repeat_is_safe if claimed is None else claimed)


def _look_up_unknown(refund: Refund, backend: PaymentBackend, *, actor: Actor) -> bool | None:
    """Look an unknown refund up. True with an outcome, None where the provider does not know it, False
    without an answer.
    """
    result = _within_slot(refund, lambda: call_refund_lookup(refund))
    if isinstance(result, Refunded):
        _note_refunded(refund, result, backend, actor=actor)
        return True
    if isinstance(result, RefundDeclined):
        code = to_text(result.code, 100)
        _conclude(refund, _State.DECLINED, actor=actor, decline_reason=_Decline.PROVIDER, decline_code=code)
        return True
    return None if isinstance(result, NotFound) else False


def _leave_to_review(refund: Refund) -> None:
    if _conclude(refund, _State.REVIEW, actor=SETTLE):
        alert_staff("payment %s: the outcome of a refund is unknown; it needs review", refund.payment_id)


def look_up_refund(refund: Refund, *, actor: Actor) -> bool:
    """Look up the outcome of a refund; False when the provider gave no usable answer.

    The amount of a refund that failed after it was accepted is released, and staff are alerted.
    """
    backend = find_payment_backend(refund.payment)
    is_known = refund.is_by_hand or refund.state == _State.DECLINED
    if is_known or backend is None or not backend.can_lookup_refund:
        return True
    if refund.state != _State.REFUNDED:
        # Not repeated here: staff may have closed the case, or may be ending the refund at this moment.
        return _look_up_unknown(refund, backend, actor=actor) is not False
    result = _within_slot(refund, lambda: call_refund_lookup(refund))
    if isinstance(result, RefundDeclined):
        _note_failed_later(refund, result, actor=actor)
    elif isinstance(result, Refunded) and not result.pending and refund.is_provisional:
        rows = Refund.objects.filter(pk=refund.pk, state=_State.REFUNDED)
        commit(lambda: rows.update(is_provisional=False))
    return isinstance(result, (Refunded, RefundDeclined))


def _note_failed_later(refund: Refund, result: RefundDeclined, *, actor: Actor) -> None:
    code = to_text(result.code, 100)
    changed = _conclude(
        refund,
        _State.DECLINED,
        actor=actor,
        failed_later=True,
        decline_reason=_Decline.FAILED_LATER,
        decline_code=code,
        is_provisional=False,
    )
    if changed:
        refund.payment.refresh_from_db()
        alert_review(refund.payment, Payment.ReviewReason.REFUND_FAILED)


def is_past_provisional(refund: Refund) -> bool:
    """Return whether an accepted refund is too old to fail any more, so that it is not looked up again."""
    return refund.created_at < timezone.now() - _PROVISIONAL_FOR


def can_be_ended(refund: Refund) -> bool:
    """Return whether staff may decide the outcome of a refund: it is unknown, and no process is
    calling the provider.
    """
    return refund.state in UNSETTLED and is_lease_over(refund.lease_until)


def record_refund_decision(refund: Refund, *, was_made: bool, note: str, actor: Actor) -> bool:
    """Record the decision of staff about an unknown refund; False when its outcome is known, or it is
    being sent.
    """
    refund.refresh_from_db()
    if not can_be_ended(refund):
        return False
    to = _State.REFUNDED if was_made else _State.DECLINED
    columns: dict[str, Any] = {} if was_made else {"decline_reason": _Decline.STAFF}
    ended = _conclude(refund, to, actor=actor, note=note, unless_sent_now=True, **columns)
    if ended and was_made:
        send_signal(payment_refunded, payment=refund.payment, refund=refund)
    return ended


def _conclude(refund: Refund, to: Refund.State, *, actor: Actor, **how: Any) -> bool:
    """Commit a refund's outcome once; where the database does not take the provider's words, in ASCII."""
    try:
        return _try_to_conclude(refund, to, actor=actor, **how)
    except DatabaseError as error:
        log(logging.ERROR, "refund %s: %s while storing", refund.pk, type(error).__name__)
        plain = {name: to_ascii(how[name], limit) for name, limit in _WORDS.items() if name in how}
        if plain.items() <= how.items():
            raise
    return _try_to_conclude(refund, to, actor=actor, **{**how, **plain})


def _try_to_conclude(
    refund: Refund,
    to: Refund.State,
    *,
    actor: Actor,
    note: str = "",
    failed_later: bool = False,
    unless_sent_now: bool = False,
    **columns: object,
) -> bool:
    """Commit a refund's outcome; the same transaction releases the amount of one that was not made."""
    payment, was, uid = refund.payment, refund.state, uuid4()
    event = Event.Name.REFUND_FAILED if failed_later else _EVENTS[to]

    def work() -> bool:
        now = timezone.now()
        rows = Refund.objects.filter(pk=refund.pk, state__in=_from_states(to, failed_later=failed_later))
        if unless_sent_now:
            rows = rows.filter(is_unleased())
        if not rows.update(state=to, updated_at=now, lease_until=None, **columns):
            return False
        _update_payment(payment, refund, to)
        if failed_later:
            _open_case_of_failed_refund(payment)
        if to != was:
            # An unchanged refund needs no new event.
            record_event(payment, event, actor=actor, uid=uid, refund=str(refund.pk), note=note)
        return True

    changed = commit(work, recall=lambda: is_recorded(uid))
    refund.refresh_from_db()
    return changed


def _from_states(to: Refund.State, *, failed_later: bool) -> tuple[Refund.State, ...]:
    if failed_later:
        return (_State.REFUNDED,)
    # What staff have to decide stays theirs: an answer that says nothing does not take it back.
    return UNANSWERED if to == _State.UNKNOWN else UNSETTLED


def leave_unsettled_to_staff(payment: Payment) -> None:
    """Leave the refunds of unknown outcome to staff, who close the case; inside a commit.

    No machine repeats them then, whatever opens the case again.
    """
    unsettled = Refund.objects.filter(payment_id=payment.pk, state__in=UNANSWERED)
    unsettled.update(state=_State.REVIEW, updated_at=timezone.now())


def _update_payment(payment: Payment, refund: Refund, to: Refund.State) -> None:
    row = Payment.objects.filter(pk=payment.pk)
    now = timezone.now()
    if to == _State.DECLINED:
        reserved = F("refunded_minor_units") - refund.minor_units
        row.update(refunded_minor_units=reserved, updated_at=now)
    elif to == _State.REVIEW:
        # Staff may have closed the payment's case before.
        row.update(**CASE_OPENED)
    elif to == _State.REFUNDED:
        free_session_of_refunded_case(payment)


def _open_case_of_failed_refund(payment: Payment) -> None:
    row = Payment.objects.filter(pk=payment.pk)
    row.filter(review_reason="").update(review_reason=Payment.ReviewReason.REFUND_FAILED)
    row.update(**CASE_OPENED)


def free_session_of_refunded_case(payment: Payment) -> None:
    """Allow a new payment of a closed review's session once all its money was refunded; call it inside
    ``commit``.

    An amount whose refund is unknown is reserved, but may still be here.
    """
    closed = Payment.objects.filter(pk=payment.pk, state=Payment.State.REVIEW, resolved_at__isnull=False)
    kept_nothing = Q(captured_at__isnull=True) | Q(refunded_minor_units__gte=F("captured_minor_units"))
    # With the row updated first, of two refunds that end at once the second one sees the first.
    freed = closed.filter(kept_nothing).update(version=F("version") + 1)
    if freed and not Refund.objects.filter(payment_id=payment.pk, state__in=UNSETTLED).exists():
        Payment.objects.filter(pk=payment.pk).update(live_key=None)
