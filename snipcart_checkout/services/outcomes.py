"""Turn what a backend says into the ledger's next state, with the confirmation it makes us owe.

``record`` is the only place where a payment learns what came of it, whoever asked: the shopper's own request, a
return from the provider, a notification, ``snipcart_settle`` or staff.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.backends.base import ChargeResult, LookupResult, Paid
from snipcart_checkout.exceptions import SnipcartError, UnpayableOrder
from snipcart_checkout.models import Payment
from snipcart_checkout.protocol import PaymentSession
from snipcart_checkout.services.asking import look_up, make_charge
from snipcart_checkout.services.confirmations import deliver_session, owe
from snipcart_checkout.services.decisions import FORGOTTEN, Decision, clash_of, decide, decide_by_staff
from snipcart_checkout.services.journal import alert, announce, commit, say, write_event
from snipcart_checkout.services.sessions import get_payment_session, order_hash
from snipcart_checkout.signals import payment_declined, payment_paid

__all__ = ["ask_backend", "record", "record_staff_word", "run_charge", "set_aside"]

_State = Payment.State
_REDECISIONS: Final = 10
_SETTLED: Final = frozenset({_State.PAID, _State.DECLINED, _State.REVIEW})


@sensitive_variables()
def run_charge(payment: Payment, session: PaymentSession | None, *, source: str) -> Payment:
    """Charge under the payment's reference and record what came of it; no transaction may be open."""
    result = make_charge(payment, session)
    return record(payment, result, source=source, just_asked=session is not None)


def ask_backend(payment: Payment, *, source: str, returned: bool = False) -> bool:
    """Look a payment up at its provider and record the answer; False when the provider gave none.

    ``returned`` means that the shopper or the provider came back, so that a payment which is accepted but not
    paid yet is now told to Snipcart as processing.
    """
    result = look_up(payment, shopper_returned=source == "return")
    if result is None:
        return False
    record(payment, result, source=source, returned=returned)
    return True


def record(
    payment: Payment,
    result: ChargeResult | LookupResult | None,
    *,
    source: str,
    just_asked: bool = False,
    returned: bool = False,
) -> Payment:
    """Commit what a backend said together with the confirmation it makes us owe, then tell Snipcart.

    Paid is never taken back, a declined or abandoned payment that turns out paid is paid if its session has no
    other live payment, and what cannot be decided goes to review. Returns the payment as it now is.
    """
    for _ in range(_REDECISIONS):
        changed = not just_asked and isinstance(result, Paid) and _order_changed(payment)
        decision = decide(payment, result, changed=changed, returned=returned)
        if decision is None:
            return payment
        if _commit_decision(payment, decision, source=source):
            _after(payment, decision)
            return payment
        payment.refresh_from_db()
    raise RuntimeError(f"payment {payment.reference} keeps changing while its outcome is recorded")


def set_aside(payment: Payment, to: str, *, source: str, reason: str = "") -> None:
    """Move a payment about which nothing can be learnt now to ``unknown``, or to ``review`` with a reason."""
    decision = Decision(to=to, changes={"review_reason": reason})
    if _commit_decision(payment, decision, source=source):
        _after(payment, decision)


def record_staff_word(payment: Payment, *, was_paid: bool, note: str, source: str) -> bool:
    """Settle a payment that no machine could settle, on a person's word; False when that is not possible."""
    if payment.state not in {_State.REVIEW, _State.UNKNOWN} or (payment.captured_at and not was_paid):
        return False
    decision = decide_by_staff(payment, was_paid=was_paid)
    try:
        moved = _commit_move(payment, decision, source=source, note=note)
    except IntegrityError:
        return False
    if moved:
        _after(payment, decision)
    return moved


@sensitive_variables()
def _order_changed(payment: Payment) -> bool:
    """Ask Snipcart whether the cart is still the one that was paid.

    Snipcart builds the order from the cart as it is now. A session that can no longer be read is no difference.
    """
    if not payment.public_token:
        return False
    try:
        session = get_payment_session(payment.public_token, payment.store)
    except UnpayableOrder:
        return True  # it was read: an emptied cart, say
    except (SnipcartError, ImproperlyConfigured):
        return False
    return order_hash(session) != payment.order_hash


def _commit_decision(payment: Payment, decision: Decision, *, source: str) -> bool:
    """Commit state, event and owed confirmation together; False when another process was faster."""
    try:
        return _commit_move(payment, decision, source=source)
    except IntegrityError:
        if payment.state in {_State.PAID, _State.REVIEW}:
            return False
    return _commit_move(payment, clash_of(payment, decision), source=source)


def _commit_move(payment: Payment, decision: Decision, *, source: str, note: str = "") -> bool:
    previous, changes = payment.state, _columns_of(decision)

    def work() -> bool:
        payment.state = previous  # an earlier run of this may have been rolled back
        if not Payment.objects.move(payment, decision.to, **changes):
            return False
        for column, value in {"state": decision.to, **changes}.items():
            setattr(payment, column, value)
        given = {"reason": _reason_of(decision), "note": note}
        details = {name: detail for name, detail in given.items() if detail}
        write_event(payment, decision.to, source=source, was=previous, **details)
        if decision.owes:
            owe(payment, decision.owes)
        return True

    try:
        moved = commit(work)
    except BaseException:
        payment.refresh_from_db()
        raise
    if moved:
        say(logging.INFO, "payment %s: %s -> %s (%s)", payment.reference, previous, decision.to, source)
    return moved


def _columns_of(decision: Decision) -> dict[str, Any]:
    forgotten = FORGOTTEN if decision.to in _SETTLED else {}
    # A person may have closed the case before this came up.
    reopened = {"resolved_at": None} if decision.to == _State.REVIEW else {}
    return {**forgotten, **decision.changes, **reopened}


def _reason_of(decision: Decision) -> object:
    declined = decision.changes.get("decline_code") if decision.to == _State.DECLINED else None
    return decision.changes.get("review_reason") or declined


def _after(payment: Payment, decision: Decision) -> None:
    """Say what was committed: to the site, to staff, to Snipcart."""
    if payment.state == _State.PAID:
        announce(payment_paid, payment=payment)
    elif payment.state == _State.DECLINED:
        announce(payment_declined, payment=payment)
    elif payment.state == _State.REVIEW:
        alert("payment %s needs a person: %s", payment.reference, payment.review_reason)
    if decision.owes:
        deliver_session(payment.session_key, at_once=True)
