"""Look a payment up at its provider upon a return, a notification, or a request of the payment's page.

Anybody can send such requests at any rate, so each payment is looked up at most once in two
seconds.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Mapping
from datetime import timedelta
from itertools import islice
from typing import Final
from uuid import UUID, uuid4, uuid5

from django.db import Error
from django.db.models import QuerySet
from django.utils import timezone

from snipcart_checkout.backends import get_backend
from snipcart_checkout.backends.base import Notification
from snipcart_checkout.backends.http import provider_slot
from snipcart_checkout.conf import Method, Store
from snipcart_checkout.exceptions import NotificationRefused, ProviderBusy, TransactionOpen
from snipcart_checkout.models import Event, Payment, Refund
from snipcart_checkout.models.moments import not_lately
from snipcart_checkout.services.announcements import CASE_OPENED, alert_review
from snipcart_checkout.services.audit_log import PROVIDER, SHOPPER, Actor, is_recorded, record_event
from snipcart_checkout.services.backend_calls import can_look_up
from snipcart_checkout.services.logger import log
from snipcart_checkout.services.order_comparison import OrderVerdict, compare_order, hash_order
from snipcart_checkout.services.outcomes import look_up_payment
from snipcart_checkout.services.payments import log_unfinished
from snipcart_checkout.services.refunds import look_up_refund
from snipcart_checkout.services.transactions import commit
from snipcart_checkout.snipcart import PaymentSession

_INTERVAL: Final = timedelta(seconds=2)
_WATCHED_FROM: Final = timedelta(seconds=5)
_MOST_NAMED: Final = 5
_REFERENCE: Final = re.compile(rb"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_State = Payment.State


def handle_return(payment: Payment) -> None:
    """Look a payment up when its shopper comes back from the provider; never raises.

    ``snipcart_settle`` repeats what fails here.
    """
    try:
        _end_redirect(payment)
        _look_up(payment, actor=SHOPPER, shopper_returned=True)
    except Exception as error:  # whatever it is, the shopper continues on the payment's page
        log_unfinished(payment, error)


def handle_notification(store: Store, method: Method, headers: Mapping[str, str], body: bytes) -> bool:
    """Verify a provider's message and look up the payment or the refund that it names.

    Returns False when the provider gave no usable answer or was asked a moment ago, so that it
    should send the message again. A reference that is not ours is accepted and ignored. Raises
    NotificationRefused for a message that cannot be verified. Accepted and refused messages are
    recorded in the payment's history, at most once a minute each.
    """
    of_method = Payment.objects.filter(store=store.name, method=method.id)
    try:
        notification = _read_notification(store, method, headers, body)
    except NotificationRefused:
        _note_refused(of_method, body)
        raise
    payment = of_method.filter(reference=notification.reference).first()
    if payment is None:
        return _handle_refund_notification(store, method, notification)
    _note_notification(payment, "accepted")
    if notification.dispute:
        _note_dispute(payment)
    return _look_up(payment, actor=PROVIDER)


def refresh_payment(payment: Payment) -> None:
    """Look up a payment whose page is open, where its state may have changed; never raises.

    Not immediately: right after a lost answer the provider would probably fail again.
    """
    watched = payment.redirect_ended and payment.state == _State.PENDING and payment.redirect_url
    last_lookup = max(filter(None, (payment.claimed_at, payment.looked_up_at)))
    if not (watched or payment.state == _State.UNKNOWN) or last_lookup > timezone.now() - _WATCHED_FROM:
        return
    try:
        # A shopper who sees the page of a payment whose redirect has ended is back, so nothing may
        # stay open at the provider.
        _look_up(payment, actor=SHOPPER, shopper_returned=payment.redirect_ended)
    except Exception as error:
        log_unfinished(payment, error)


def has_open_redirect(payment: Payment) -> bool:
    """Return whether the shopper of a payment has to go on to the provider."""
    return bool(payment.state == _State.PENDING and payment.redirect_url and not payment.redirect_ended)


def end_outdated_redirect(payment: Payment, session: PaymentSession) -> None:
    """End, at the provider, a payment whose order is not the one of the session any more; never raises."""
    try:
        if has_open_redirect(payment) and hash_order(session) != payment.order_hash:
            _end_outdated(payment)
    except Exception as error:
        log_unfinished(payment, error)


def check_redirect(payment: Payment) -> bool | None:
    """Return whether the order of an open redirect is still the same; never raises.

    None where that cannot be said now, and where somebody asked a moment ago. A payment of another order is ended at the
    provider, and the shopper must not be forwarded to it.
    """
    is_same: bool | None = None
    try:
        if _take_turn(payment, "compared_at"):
            verdict = compare_order(payment).verdict
            is_same = None if verdict is OrderVerdict.UNREAD else verdict is OrderVerdict.SAME
            if is_same is False:
                _end_outdated(payment)
    except Exception as error:
        log_unfinished(payment, error)
    return is_same


def _end_outdated(payment: Payment) -> None:
    if _end_redirect(payment):
        log(logging.INFO, "payment %s: the order was changed while it was open", payment.reference)
        # This happens once, so it need not wait for its turn.
        _look_up(payment, actor=SHOPPER, shopper_returned=True, is_void=True, has_turn=True)


def _end_redirect(payment: Payment) -> bool:
    """Record that the shopper is no longer forwarded to the provider; False when that was recorded before."""
    if not payment.redirect_url or payment.redirect_ended:
        return False
    row = Payment.objects.filter(pk=payment.pk)
    payment.redirect_ended = True
    # Whoever ends it has to end it at the provider, too; better two of them than none.
    ended = commit(
        lambda: row.filter(redirect_ended=False).update(redirect_ended=True),
        recall=lambda: row.filter(redirect_ended=True).count() or None,
    )
    return ended == 1


def _look_up(
    payment: Payment,
    *,
    actor: Actor,
    shopper_returned: bool = False,
    is_void: bool = False,
    has_turn: bool = False,
) -> bool:
    """Look the payment up where that makes sense; False when it was and the provider gave no answer."""
    if payment.state == _State.PAID or not can_look_up(payment):
        return True
    try:
        with provider_slot(payment.store, payment.method):
            if not (has_turn or _take_turn(payment, "polled_at", "looked_up_at")):
                return False
            return look_up_payment(
                payment, actor=actor, returned=True, shopper_returned=shopper_returned, is_void=is_void
            )
    except ProviderBusy:
        return False


def _take_turn(payment: Payment, column: str, *others: str) -> bool:
    """Reserve for this process what anybody may ask for; False when its column says that it was done within the interval."""
    now = timezone.now()
    mine = Payment.objects.filter(not_lately(column, _INTERVAL), pk=payment.pk)
    return commit(lambda: mine.update(**dict.fromkeys((column, *others), now))) == 1


def _handle_refund_notification(store: Store, method: Method, notification: Notification) -> bool:
    refund = (
        Refund.objects.select_related("payment")
        .filter(pk=notification.reference, payment__store=store.name, payment__method=method.id)
        .first()
    )
    if refund is None:
        return True
    _note_notification(refund.payment, "accepted", refund=str(refund.pk))
    mine = Refund.objects.filter(not_lately("looked_up_at", _INTERVAL), pk=refund.pk)
    now = timezone.now()
    if not commit(lambda: mine.update(looked_up_at=now)):
        return False
    return look_up_refund(refund, actor=PROVIDER)


def _note_notification(payment: Payment, result: str, **data: str) -> None:
    """Record in the history that a provider sent a message: at most one event of each result per minute.

    The message itself is not stored, because it may hold personal data.
    """
    minute = f"{timezone.now():%Y-%m-%d %H:%M}"
    uid = uuid5(payment.reference, f"notification {result} {minute}")

    def work() -> bool:
        record_event(payment, Event.Name.NOTIFICATION, actor=PROVIDER, uid=uid, result=result, **data)
        return True

    if not is_recorded(uid):
        # Another process may record a message of the same minute, which is as good.
        commit(work, recall=lambda: is_recorded(uid))


def _note_refused(payments: QuerySet[Payment], body: bytes) -> None:
    """Record a message that could not be verified in the history of the payments that it names; never
    raises.
    """
    named = {UUID(reference.decode()) for reference in islice(_REFERENCE.findall(body), _MOST_NAMED)}
    with contextlib.suppress(Error, TransactionOpen):
        for payment in payments.filter(pk__in=named) if named else ():
            _note_notification(payment, "refused")


def _note_dispute(payment: Payment) -> None:
    """Record a dispute in the history and alert staff, once."""
    row = Payment.objects.filter(pk=payment.pk)
    uid = uuid4()

    def work() -> bool:
        # First of all, so that of two messages at once the second one waits and sees what the first one recorded.
        row.update(updated_at=timezone.now())
        if payment.events.filter(name=Event.Name.DISPUTED).exists():
            return False
        row.update(review_reason=Payment.ReviewReason.DISPUTED, **CASE_OPENED)
        record_event(payment, Event.Name.DISPUTED, actor=PROVIDER, uid=uid)
        return True

    if commit(work, recall=lambda: is_recorded(uid)):
        payment.refresh_from_db()
        alert_review(payment, Payment.ReviewReason.DISPUTED)


def _read_notification(store: Store, method: Method, headers: Mapping[str, str], body: bytes) -> Notification:
    notification: object = None
    # Whatever is raised, the message is not a verified notification.
    with contextlib.suppress(Exception):
        notification = get_backend(store, method).read_notification(headers, body)
    if not isinstance(notification, Notification) or not isinstance(notification.reference, UUID):
        raise NotificationRefused("the notification could not be verified")
    return notification
