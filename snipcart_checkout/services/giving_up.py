"""The shopper goes back to the shop after a decline: Snipcart hears that the order was not paid."""

from __future__ import annotations

from uuid import UUID, uuid4

from django.db import IntegrityError

from snipcart_checkout.models import Confirmation, Event, Payment
from snipcart_checkout.services.attempts import get_live_payment, has_ended
from snipcart_checkout.services.audit_log import SHOPPER, is_recorded, record_event
from snipcart_checkout.services.confirmations import enqueue
from snipcart_checkout.services.delivery import deliver_session
from snipcart_checkout.services.transactions import commit

_State = Payment.State


def give_up(payment: Payment) -> Payment:
    """Notify Snipcart that a declined payment failed, when the shopper goes back to the shop.

    Does nothing when a later payment of the session is live, which is then returned. Snipcart is
    notified once per session that it failed.
    """
    uid = uuid4()
    try:
        is_news = commit(lambda: _enqueue_failed(payment, uid), recall=lambda: is_recorded(uid))
    except IntegrityError:
        return get_live_payment(payment.session_key) or payment
    if is_news:
        deliver_session(payment.session_key, at_once=True)
    payment.refresh_from_db()
    return payment


def _enqueue_failed(payment: Payment, uid: UUID) -> bool:
    # While this transaction holds the live key, a new attempt of the session waits, so that its
    # outcome is delivered later. The version changes, so that no other process decides from the old
    # row.
    declined = Payment.objects.filter(pk=payment.pk, state=_State.DECLINED, version=payment.version)
    if not declined.update(live_key=payment.session_key):
        return False
    is_news = not has_ended(payment)
    if is_news:
        enqueue(payment, Confirmation.Outcome.FAILED, actor=SHOPPER)
        record_event(payment, Event.Name.GAVE_UP, actor=SHOPPER, uid=uid)
    declined.update(live_key=None, version=payment.version + 1)
    return is_news
