"""Take the money of a payment session, once."""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import DatabaseError, IntegrityError
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.backends import get_backend
from snipcart_checkout.conf import Method, Store
from snipcart_checkout.exceptions import NotificationRefused
from snipcart_checkout.models import Confirmation, Payment, session_key
from snipcart_checkout.protocol import PaymentSession
from snipcart_checkout.services.asking import can_look_up
from snipcart_checkout.services.attention import alert_about_silence
from snipcart_checkout.services.confirmations import (
    capability_hash,
    deliver_session,
    is_given_up,
    new_capability,
    owe,
)
from snipcart_checkout.services.decisions import MAX_TRIES
from snipcart_checkout.services.journal import commit, say, write_event
from snipcart_checkout.services.outcomes import ask_backend, run_charge
from snipcart_checkout.services.sessions import order_hash

__all__ = [
    "MAX_TRIES",
    "Order",
    "Standing",
    "find_live_payment",
    "find_payment",
    "give_up",
    "hear_notification",
    "last_declined_payment",
    "pay",
    "settle_return",
    "standing_of",
    "tries_left",
]

_State = Payment.State
_CLAIMS: Final = 10


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the shopper agreed to pay, how, and on whose word: the session as Snipcart told it just now.

    ``form`` holds the cleaned fields of the backend's form. ``public_token`` is kept with the payment only until
    its outcome is known.
    """

    store: Store
    method: Method
    session: PaymentSession
    public_token: str = field(repr=False)
    form: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What the payments of a session so far mean for the next one.

    ``live`` forbids it. ``declined`` is the latest declined try; ``tries_left`` says how many more there may be.
    """

    live: Payment | None = None
    declined: Payment | None = None
    tries_left: int = MAX_TRIES


def standing_of(store: Store, session: PaymentSession) -> Standing:
    """Look at all payments of a session at once, for the page that shows the order."""
    found = Payment.objects.of_session(store.name, session.id)
    # Most pages are a session's first: reading no columns halves what they cost the database layer.
    payments = list(found) if found.exists() else []
    declined = [payment for payment in payments if payment.state == _State.DECLINED]
    return Standing(
        live=next((payment for payment in payments if payment.live_key), None),
        declined=declined[-1] if declined else None,
        tries_left=max(0, MAX_TRIES - len(declined)),
    )


def find_payment(reference: uuid.UUID) -> Payment | None:
    """Return a payment by the reference that people are shown."""
    return Payment.objects.filter(reference=reference).first()


def find_live_payment(store: Store, session: PaymentSession) -> Payment | None:
    """Return the payment that forbids another one of this session."""
    return Payment.objects.filter(live_key=session_key(store.name, session.id)).first()


def last_declined_payment(store: Store, session: PaymentSession) -> Payment | None:
    """Return the latest declined try of a session."""
    declined = Payment.objects.of_session(store.name, session.id).filter(state=_State.DECLINED)
    return declined.last()


def tries_left(store: Store, session: PaymentSession) -> int:
    """Return how many more declined tries the session may have."""
    declined = Payment.objects.of_session(store.name, session.id).filter(state=_State.DECLINED)
    return max(0, MAX_TRIES - declined.count())


@sensitive_variables()
def pay(order: Order) -> Payment:
    """Charge an order, unless its session has a live payment, and return the payment that now stands for it.

    A session that was declined MAX_TRIES times is not charged again: its last payment is returned.

    The claim is committed before the backend is called, and the outcome together with what Snipcart is owed
    before anybody hears of it. Ten of these at once make one charge. Must run outside any transaction.
    """
    payment, is_ours = _claim(order)
    if not is_ours:
        return payment
    alert_about_silence()
    try:
        return run_charge(payment, order.session, source="shopper")
    except Exception as error:
        # The claim is on disk and money may have moved, so whatever this is, it is the same as a crash: the shopper
        # sees that the payment is being checked, and settling finishes it.
        _say_unfinished(payment, error)
        payment.state = _State.CHARGING
        return payment


def _say_unfinished(payment: Payment, error: Exception) -> None:
    say(
        logging.ERROR,
        "payment %s: its outcome was not stored: %s",
        payment.reference,
        type(error).__name__,
    )


def _claim(order: Order) -> tuple[Payment, bool]:
    """Begin a payment, unless the session has a live one, which is returned instead, with False."""
    for _ in range(_CLAIMS):
        try:
            return _begin(order), True
        except IntegrityError:
            stands = find_live_payment(order.store, order.session)
        except _NoTriesLeft:
            stands = last_declined_payment(order.store, order.session)
        if stands:
            return stands, False
        # The one that was live a moment ago may have been declined since: then this try may begin.
    raise DatabaseError("the payments of the session keep changing")


def _begin(order: Order) -> Payment:
    """Commit the right to charge; the unique live key decides who has it."""
    # Read outside of the commit: on SQLite a transaction that reads first may not be let to write.
    abandoned = _find_abandoned(order)
    payment = commit(lambda: _take_up(abandoned, order) if abandoned else _open_payment(order))
    previous = _State.ABANDONED if abandoned else "new"
    say(logging.INFO, "payment %s: %s -> charging (shopper)", payment.reference, previous)
    return payment


class _NoTriesLeft(Exception):
    """The session's last try was declined while this one was on its way."""


def _open_payment(order: Order) -> Payment:
    session = order.session
    payment = Payment(
        store=order.store.name,
        method=order.method.id,
        session_id=session.id,
        session_key=session_key(order.store.name, session.id),
        minor_units=session.invoice.minor_units,
        currency=session.invoice.currency,
        state=_State.CHARGING,
        **_columns_of(order),
    )
    payment.capability_hash = capability_hash(new_capability(payment))
    payment.save(force_insert=True)
    # Counted while holding the live key, so that nobody can add a declined one meanwhile.
    if not tries_left(order.store, session):
        raise _NoTriesLeft
    write_event(payment, "charging", source="shopper")
    return payment


def _columns_of(order: Order) -> dict[str, Any]:
    session = order.session
    return {
        "live_key": session_key(order.store.name, session.id),
        "order_hash": order_hash(session),
        "language": session.invoice.language,
        "back_url": session.return_url,
        "form": dict(order.form),
        "public_token": order.public_token,
        "claimed_at": timezone.now(),
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


def _take_up(payment: Payment, order: Order) -> Payment:
    """Charge again under a reference that its provider never knew, rather than open a second one.

    The provider may have been wrong or late; only the same reference keeps both from being charged.
    """
    anew = {"asked_at": None, "alerted_at": None, "resolved_at": None}
    if not Payment.objects.move(payment, _State.CHARGING, **anew, **_columns_of(order)):
        raise IntegrityError("another process took the abandoned payment up")
    write_event(payment, "charging", source="shopper", was=_State.ABANDONED)
    payment.refresh_from_db()
    return payment


def give_up(payment: Payment) -> Payment:
    """Tell Snipcart that a declined payment failed, because the shopper goes back to the shop.

    Does nothing when a later payment of the session is live, which is then returned: it is what came of the order.
    A session is told once that it failed.
    """
    try:
        owed = commit(lambda: _owe_failed(payment))
    except IntegrityError:
        return Payment.objects.filter(live_key=payment.session_key).first() or payment
    if owed:
        deliver_session(payment.session_key, at_once=True)
    return payment


def _owe_failed(payment: Payment) -> bool:
    # Holding the live key for the length of this commit makes a new try of the session wait, so that its
    # outcome is told after this one.
    declined = Payment.objects.filter(pk=payment.pk, state=_State.DECLINED)
    if not declined.update(live_key=payment.session_key):
        return False
    is_news = not is_given_up(payment)
    if is_news:
        owe(payment, Confirmation.State.FAILED)
        write_event(payment, "gave_up", source="shopper")
    declined.update(live_key=None)
    return is_news


def settle_return(payment: Payment) -> None:
    """Ask what came of a payment whose shopper came back from the provider.

    What cannot be asked or stored now is left to ``snipcart_settle``.
    """
    try:
        # Its page no longer sends the shopper to the provider.
        commit(lambda: Payment.objects.filter(pk=payment.pk).update(asked_at=timezone.now()))
        _look_up(payment, source="return")
    except Exception as error:  # whatever it is, the page of the payment is where the shopper belongs
        _say_unfinished(payment, error)


def hear_notification(store: Store, method: Method, headers: Mapping[str, str], body: bytes) -> bool:
    """Verify a provider's message and ask the provider about the payment it names.

    Returns False when the provider gave no usable answer, so that it should send the message again. A reference
    that is not ours is heard and forgotten. Raises NotificationRefused for whatever cannot be verified.
    """
    reference = _read_notification(store, method, headers, body)
    payment = Payment.objects.filter(reference=reference, store=store.name, method=method.id).first()
    return payment is None or _look_up(payment, source="notification")


def _look_up(payment: Payment, *, source: str) -> bool:
    """Ask the provider where there is something to ask; False when there was and it gave no answer."""
    if payment.state == _State.PAID or not can_look_up(payment):
        return True
    return ask_backend(payment, source=source, returned=True)


def _read_notification(store: Store, method: Method, headers: Mapping[str, str], body: bytes) -> uuid.UUID:
    reference: object = None
    # Whatever it raises, this is not a notification of the provider.
    with contextlib.suppress(Exception):
        reference = get_backend(store, method).read_notification(headers, body).reference
    if not isinstance(reference, uuid.UUID):
        raise NotificationRefused("the notification could not be verified")
    return reference
