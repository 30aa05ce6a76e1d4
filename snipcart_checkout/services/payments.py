"""Charge a payment session, once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import DatabaseError, Error, IntegrityError
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.backends.http import provider_slot
from snipcart_checkout.conf import Method, Store
from snipcart_checkout.exceptions import TransactionOpen
from snipcart_checkout.models import (
    Event,
    Payment,
    cart_key,
    new_reference,
    session_key,
    to_short_reference,
)
from snipcart_checkout.services.alerts import alert_about_missing_settle
from snipcart_checkout.services.attempts import (
    count_attempts_left_beside,
    get_last_declined,
    get_live_payment,
)
from snipcart_checkout.services.audit_log import SHOPPER, is_recorded, record_event
from snipcart_checkout.services.backend_calls import call_charge, describe_place
from snipcart_checkout.services.logger import log
from snipcart_checkout.services.order_comparison import hash_order
from snipcart_checkout.services.outcomes import record
from snipcart_checkout.services.refund_links import build_capability, hash_capability
from snipcart_checkout.services.transactions import commit
from snipcart_checkout.snipcart import PaymentSession

_State = Payment.State
_MOST_CLAIMS: Final = 10
_MOST_REFERENCES: Final = 10


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the shopper agreed to pay, and how: the session as Snipcart returned it for this request.

    ``form`` holds the cleaned fields of the backend's form. ``public_token`` is kept with the payment until Snipcart
    was notified of the outcome.
    """

    store: Store
    method: Method
    session: PaymentSession
    public_token: str = field(repr=False)
    form: Mapping[str, Any] = field(default_factory=dict, repr=False)


def get_payment(reference: UUID) -> Payment | None:
    """Return a payment by its reference."""
    return Payment.objects.filter(reference=reference).first()


@sensitive_variables()
def pay(order: Order) -> Payment:
    """Charge an order, unless its session has a live payment, and return the payment that it has now.

    A session that was declined MAX_ATTEMPTS times is not charged again: its last payment is returned.

    The claim is committed before the backend is called, and the outcome together with its
    confirmation before anybody is notified. However many of these run at once, the session is charged
    once. Must run outside any transaction. Raises ProviderBusy, before anything is stored, when too many calls to the
    provider are in flight, and DatabaseError where the claim cannot be stored, as when a receiver of
    the site refuses its row: the backend is not called then.
    """
    with provider_slot(order.store.name, order.method.id):
        payment, is_ours = _claim(order)
        if not is_ours:
            return payment
        alert_about_missing_settle()
        result = call_charge(payment, order.session)
    try:
        return record(payment, result, actor=SHOPPER)
    except Exception as error:
        # The claim is committed and money may have moved, so any error here has the effect of a
        # crash: the page shows the payment as unknown, and snipcart_settle finishes it.
        log_unfinished(payment, error)
        return payment


def log_unfinished(payment: Payment, error: Exception) -> None:
    """Log that the outcome of a payment could not be stored; ``snipcart_settle`` will do it."""
    log(
        logging.ERROR,
        "payment %s: its outcome was not stored: %s",
        payment.reference,
        type(error).__name__,
    )


def _claim(order: Order) -> tuple[Payment, bool]:
    """Begin a payment, unless the session has a live one, which is returned instead, with False."""
    for _ in range(_MOST_CLAIMS):
        try:
            return _begin(order), True
        except IntegrityError:
            current = get_live_payment(session_key(order.store.name, order.session.id))
        except _NoAttemptsLeft:
            current = get_last_declined(order.store, order.session)
        except (Error, TransactionOpen):
            raise
        except Exception as error:  # a receiver of the site may raise anything
            place = describe_place(error)
            log(logging.ERROR, "a payment was not begun: %s at %s", type(error).__name__, place)
            raise DatabaseError("the payment could not be stored") from error
        if current:
            return current, False
        # The payment that was live a moment ago may have been declined since; then this attempt may begin.
    raise DatabaseError("the payments of the session keep changing")


def _begin(order: Order) -> Payment:
    """Commit the claim to charge; the unique live key lets only one process have it."""
    # Read outside of the transaction: on SQLite one that reads first may fail to write later.
    abandoned = _find_abandoned(order)
    if abandoned:
        return _resume(abandoned, order)
    payment = _build_payment(order)

    def work() -> Payment:
        payment.save(force_insert=True)
        _require_attempts(payment)
        record_event(payment, Event.Name.CHARGING, actor=SHOPPER)
        return payment

    def recall() -> Payment | None:
        return Payment.objects.filter(pk=payment.pk).first()

    return commit(work, recall=recall)


class _NoAttemptsLeft(Exception):
    """The last attempt that the session may have was declined while this one began."""


def _require_attempts(payment: Payment) -> None:
    # Counted while this process has the live key, so that no other can add a declined one.
    if not count_attempts_left_beside(payment):
        raise _NoAttemptsLeft


def _build_payment(order: Order) -> Payment:
    session = order.session
    payment = Payment(
        reference=_unused_reference(),
        store=order.store.name,
        method=order.method.id,
        session_id=session.id,
        session_key=session_key(order.store.name, session.id),
        cart_id=session.invoice.cart_id,
        cart_key=cart_key(order.store.name, session.invoice.cart_id),
        minor_units=session.invoice.minor_units,
        currency=session.invoice.currency,
        state=_State.CHARGING,
        **_build_claim(order),
    )
    payment.capability_hash = hash_capability(build_capability(payment))
    return payment


def _unused_reference() -> UUID:
    """Return a reference whose short form is unused; the unique column catches the rare race."""
    for _ in range(_MOST_REFERENCES):
        reference = new_reference()
        if not Payment.objects.filter(short_reference=to_short_reference(reference)).exists():
            return reference
    raise DatabaseError("no short reference is free: remove old payments with snipcart_prune")


def _build_claim(order: Order) -> dict[str, Any]:
    session, now = order.session, timezone.now()
    return {
        "live_key": session_key(order.store.name, session.id),
        "order_hash": hash_order(session),
        "language": session.invoice.language,
        "cart_url": session.return_url,
        "form": dict(order.form),
        "public_token": order.public_token,
        "redirect_ended": False,
        "claimed_at": now,
        "answered_at": now,
    }


def _find_abandoned(order: Order) -> Payment | None:
    session = order.session
    abandoned = Payment.objects.of_session(order.store.name, session.id).filter(
        state=_State.ABANDONED,
        method=order.method.id,
        minor_units=session.invoice.minor_units,
        currency=session.invoice.currency,
    )
    return abandoned.last()


def _resume(payment: Payment, order: Order) -> Payment:
    """Charge again under an abandoned reference, which the provider does not know, instead of a new one.

    The provider may have been wrong or late, and the same reference keeps it from charging twice.
    """
    anew = {"looked_up_at": None, "alerted_at": None, "overdue_alerted_at": None, "resolved_at": None}
    columns = {**anew, **_build_claim(order)}
    uid = uuid4()

    def work() -> bool:
        if not Payment.objects.transition(payment, _State.CHARGING, **columns):
            raise IntegrityError("another process resumed the abandoned payment")
        _require_attempts(payment)
        record_event(payment, Event.Name.CHARGING, actor=SHOPPER, uid=uid, was=_State.ABANDONED.value)
        return True

    commit(work, recall=lambda: is_recorded(uid))
    payment.refresh_from_db()
    return payment
