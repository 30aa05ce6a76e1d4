"""Record the outcome of a payment: the next state in the ledger, and the confirmation that follows
from it.

Every outcome goes through ``record``, whatever brought it: the shopper's own request, a return from
the provider, a notification, ``snipcart_settle`` or staff.
"""

from __future__ import annotations

import copy
import logging
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import DatabaseError, IntegrityError
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.backends.base import ChargeResult, Declined, LookupResult, NotFound
from snipcart_checkout.models import Event, Payment, cart_key
from snipcart_checkout.presentation.declines import EXPIRED
from snipcart_checkout.services.announcements import CASE_OPENED, alert_review, alert_staff, send_signal
from snipcart_checkout.services.audit_log import Actor, is_recorded, record_event
from snipcart_checkout.services.backend_calls import call_charge, call_lookup, find_payment_backend
from snipcart_checkout.services.confirmations import enqueue
from snipcart_checkout.services.decisions import (
    CHARGE_EMPTIED,
    TOKEN_EMPTIED,
    UNINFORMED,
    Decision,
    decide,
    decide_by_staff,
    decide_review,
    resolve_clash,
    without_texts,
)
from snipcart_checkout.services.delivery import Delivery, deliver_session
from snipcart_checkout.services.logger import log
from snipcart_checkout.services.transactions import commit
from snipcart_checkout.signals import payment_declined, payment_paid
from snipcart_checkout.snipcart import PaymentSession

_State = Payment.State
_Reason = Payment.ReviewReason
_REDECISIONS: Final = 10
_UNDER_WAY: Final = timedelta(hours=1)


@sensitive_variables()
def run_charge(payment: Payment, session: PaymentSession | None, *, actor: Actor) -> Payment:
    """Charge under the payment's reference and record the outcome; no transaction may be open."""
    return record(payment, call_charge(payment, session), actor=actor)


def look_up_payment(
    payment: Payment,
    *,
    actor: Actor,
    returned: bool = False,
    shopper_returned: bool = False,
    is_void: bool,
) -> bool:
    """Look a payment up at its provider and record the answer; False when the provider gave none.

    ``returned`` means that the shopper came back or the provider sent a notification; Snipcart is
    then notified ``processing`` of a payment that is accepted but not paid yet. ``is_void`` is
    the charge's of that name.
    """
    result = call_lookup(payment, shopper_returned=shopper_returned, is_void=is_void)
    if result is None:
        return False
    record(payment, result, actor=actor, returned=returned)
    # Only now: an answer that cannot be stored is as good as none, and staff have to be alerted of it later.
    now = timezone.now()
    commit(lambda: Payment.objects.filter(pk=payment.pk).update(answered_at=now))
    return True


def record(
    payment: Payment,
    result: ChargeResult | LookupResult | None,
    *,
    actor: Actor,
    returned: bool = False,
    captured_at: datetime | None = None,
    note: str = "",
) -> Payment:
    """Commit an outcome together with the confirmation that follows from it, then notify Snipcart.

    What was captured stays captured. A declined or abandoned payment that turns out to be paid
    becomes paid if its session has no other live payment. What cannot be decided goes to review.
    ``captured_at`` is the moment of the capture, now unless given; ``note`` becomes part of the
    history. Returns the payment as it is now.
    """
    under_way = isinstance(result, NotFound) and _may_be_under_way(payment)
    for _ in range(_REDECISIONS):
        decision = decide(payment, result, returned=returned, may_be_under_way=under_way)
        if decision is None:
            return payment
        decision = _captured_on(decision, captured_at)
        if _commit_decision(payment, decision, actor=actor, note=note):
            return payment
        payment.refresh_from_db()
    raise RuntimeError(f"payment {payment.reference} keeps changing while its outcome is recorded")


def _captured_on(decision: Decision, captured_at: datetime | None) -> Decision:
    """Return the decision with the given moment of capture."""
    if captured_at is None or not decision.changes.get("captured_at"):
        return decision
    changes = {**decision.changes, "captured_at": captured_at}
    return replace(decision, changes=changes, data={**decision.data, "received": captured_at.date()})


def _may_be_under_way(payment: Payment) -> bool:
    """Return whether a stalled call may still charge, and repeating it would not be safe."""
    backend = find_payment_backend(payment)
    is_safe = backend is not None and backend.repeat_is_safe
    return not is_safe and payment.claimed_at > timezone.now() - _UNDER_WAY


def set_unknown(payment: Payment, *, actor: Actor) -> None:
    """Record that the outcome of a payment is unknown."""
    _commit_decision(payment, Decision(to=_State.UNKNOWN), actor=actor)


def leave_to_review(payment: Payment, reason: str, *, actor: Actor) -> None:
    """Put a payment in review."""
    _commit_decision(payment, decide_review(reason), actor=actor)


def expire(payment: Payment, *, actor: Actor) -> bool:
    """End a pending payment whose time is over, and return whether it is; one of which a part came
    needs review.
    """
    if payment.events.filter(name=Event.Name.PART_RECEIVED).exists():
        leave_to_review(payment, _Reason.AMOUNT_DIFFERS, actor=actor)
        return False
    # Decided once, from the payment as it was read: a part that staff note this moment changes it.
    decision = decide(payment, Declined(EXPIRED))
    return decision is not None and _commit_decision(payment, decision, actor=actor)


def can_be_decided(payment: Payment) -> bool:
    """Return whether staff may decide the outcome of a payment: it is unknown, and no charge is under way."""
    is_stuck = payment.state == _State.CHARGING and payment.claimed_at < timezone.now() - _UNDER_WAY
    return is_stuck or payment.state in {_State.REVIEW, _State.UNKNOWN}


def record_staff_decision(payment: Payment, *, was_paid: bool, note: str, actor: Actor) -> bool:
    """Record the decision of staff about a payment in review; False when that is not possible."""
    payment.refresh_from_db(fields=("refunded_minor_units",))
    impossible = payment.has_all_gone_back if was_paid else payment.captured_at is not None
    if impossible or not can_be_decided(payment):
        return False
    decision = decide_by_staff(payment, was_paid=was_paid)
    try:
        changed = _commit_transition(payment, decision, actor=actor, note=note)
    except IntegrityError:
        return False
    if changed:
        _follow_up(payment, decision, actor=actor)
    return changed


def _commit_decision(payment: Payment, decision: Decision, *, actor: Actor, note: str = "") -> bool:
    """Commit state, event and confirmation together; False when another process was faster."""
    try:
        carried_out = _commit_transition(payment, decision, actor=actor, note=note)
    except IntegrityError:
        if payment.state == _State.PAID:
            return False
        decision = resolve_clash(payment, decision)
        if payment.state == _State.REVIEW and payment.review_reason == decision.reason:
            return True  # staff were alerted of it
        carried_out = _commit_transition(payment, decision, actor=actor, note=note)
    if carried_out:
        _follow_up(payment, decision, actor=actor)
    return carried_out


def _commit_transition(payment: Payment, decision: Decision, *, actor: Actor, note: str) -> bool:
    """Commit a decision; where the database does not take the backend's texts, without them."""
    try:
        return _try_transition(payment, decision, actor=actor, note=note)
    except IntegrityError:
        raise
    except DatabaseError as error:
        log(logging.ERROR, "payment %s: %s while storing", payment.reference, type(error).__name__)
        plain = without_texts(decision)
        if plain.changes == decision.changes and decision.data.items() <= plain.data.items():
            raise
    stored = _try_transition(payment, plain, actor=actor, note=note)
    if stored:
        alert_staff(
            "payment %s: the database did not take the backend's texts; convert its tables to utf8mb4",
            payment.reference,
        )
    return stored


def _try_transition(payment: Payment, decision: Decision, *, actor: Actor, note: str) -> bool:
    uid = uuid4()
    columns = {**_build_emptied(payment, decision), **decision.changes}
    after = copy.copy(payment)
    for name, value in {"state": decision.to, "version": payment.version + 1, **columns}.items():
        setattr(after, name, value)
    paid_twice: list[bool] = []

    def work() -> bool:
        if not Payment.objects.transition(payment, decision.to, **columns):
            return False
        _record_change(payment, after, decision, actor=actor, note=note, uid=uid)
        if decision.outcome:
            enqueue(after, decision.outcome, actor=actor)
        if columns.get("captured_at"):
            paid_twice[:] = [_flag_paid_twice(after, actor=actor)]
        return True

    changed = commit(work, recall=lambda: is_recorded(uid))
    if changed:
        payment.__dict__.update({name: getattr(after, name) for name in ("state", "version", *columns)})
    if changed and any(paid_twice):
        payment.review_reason = _Reason.CART_PAID_TWICE
        alert_review(payment, _Reason.CART_PAID_TWICE)
    return changed


def _record_change(
    payment: Payment, after: Payment, decision: Decision, *, actor: Actor, note: str, uid: UUID
) -> None:
    declined = after.decline_code if decision.to == _State.DECLINED else ""
    record_event(
        payment,
        decision.event or Event.Name(decision.to),
        actor=actor,
        uid=uid,
        was=payment.state if payment.state != decision.to else "",
        reason=decision.reason or declined,
        note=note,
        **decision.data,
    )


def _build_emptied(payment: Payment, decision: Decision) -> dict[str, Any]:
    """Return the columns that hold secrets which are not needed after a decision, empty.

    The token stays where the payment may still become paid, because the order has to be compared
    then.
    """
    if decision.event is not None or decision.to not in {_State.PAID, _State.DECLINED, _State.REVIEW}:
        return {}
    if decision.to == _State.PAID:
        return dict(CHARGE_EMPTIED)
    backend = find_payment_backend(payment)
    if backend is None or not backend.can_lookup:
        return {**CHARGE_EMPTIED, **TOKEN_EMPTIED}
    if decision.to == _State.DECLINED:
        return dict(CHARGE_EMPTIED)
    if decision.reason in UNINFORMED:
        # A look-up may still end the review; the shopper is no longer forwarded to the provider.
        return {"redirect_url": ""}
    return {**CHARGE_EMPTIED, **TOKEN_EMPTIED}


def _follow_up(payment: Payment, decision: Decision, *, actor: Actor) -> None:
    """Notify Snipcart, send the signals and alert staff, as the change requires."""
    delivery = Delivery()
    try:
        if decision.outcome:
            delivery = deliver_session(payment.session_key, at_once=True)
            payment.refresh_from_db()
    finally:
        _notify(payment, decision, delivery)
        if payment.captured_at is not None and decision.outcome:
            _note_paid_twice(payment, actor=actor)


def _notify(payment: Payment, decision: Decision, delivery: Delivery) -> None:
    if decision.reason:
        alert_review(payment, decision.reason)
    elif decision.to == _State.PAID and payment.pk not in delivery.withheld:
        send_signal(payment_paid, payment=payment, session=delivery.sessions.get(payment.pk))
    elif decision.to == _State.DECLINED:
        send_signal(payment_declined, payment=payment)


def _note_paid_twice(payment: Payment, *, actor: Actor) -> None:
    """Alert staff of another paid session of the cart that was committed at the same moment as this one."""
    uid = uuid4()
    work = partial(_flag_paid_twice, payment, actor=actor, uid=uid)
    if not payment.review_reason and commit(work, recall=lambda: is_recorded(uid)):
        payment.review_reason = _Reason.CART_PAID_TWICE
        alert_review(payment, _Reason.CART_PAID_TWICE)


def is_cart_paid_otherwise(payment: Payment) -> bool:
    """Whether another session of the payment's cart was paid."""
    return _find_paid_otherwise(payment) is not None


def _find_paid_otherwise(payment: Payment) -> Payment | None:
    key = cart_key(payment.store, payment.cart_id)
    others = Payment.objects.captured().filter(cart_key=key).exclude(session_key=payment.session_key)
    other: Payment | None = others.first() if key else None
    return other


def _flag_paid_twice(payment: Payment, *, actor: Actor, uid: UUID | None = None) -> bool:
    """Open a case where another session of the same cart was paid as well, in a commit; both are confirmed."""
    other = _find_paid_otherwise(payment)
    unflagged = Payment.objects.filter(pk=payment.pk, review_reason="")
    changes = {"review_reason": _Reason.CART_PAID_TWICE, **CASE_OPENED}
    if other is None or not unflagged.update(**changes, updated_at=timezone.now()):
        return False
    record_event(payment, Event.Name.CART_PAID_TWICE, actor=actor, uid=uid, other=str(other.reference))
    return True
