"""What Stripe's answers mean: a Checkout Session in, a value of the backend interface out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from snipcart_checkout.backends.base import Declined, Paid, Pending
from snipcart_checkout.backends.stripe.amounts import from_stripe
from snipcart_checkout.backends.stripe.api import StripeOutcomeUnknown
from snipcart_checkout.backends.stripe.declines import decline_code

if TYPE_CHECKING:
    from snipcart_checkout.backends.stripe.objects import CheckoutSession

_FAILED: Final = frozenset({"requires_payment_method", "canceled"})
_ON_ITS_WAY: Final = frozenset({"processing", "requires_capture", "succeeded"})
_INTENT_STATUSES: Final = _FAILED | _ON_ITS_WAY | {"requires_action", "requires_confirmation"}
"""Every status of a PaymentIntent, https://docs.stripe.com/api/payment_intents/object#payment_intent_object-status."""


def is_unfinished(session: CheckoutSession) -> bool:
    """Return whether the shopper could still pay, and has not."""
    return session.status == "open" and (session.intent is None or session.intent.status not in _ON_ITS_WAY)


def to_outcome(session: CheckoutSession) -> Paid | Pending | Declined:
    """Return what came of a session; raise StripeOutcomeUnknown for what it cannot be.

    Without a payment being required nothing is paid, unless there was nothing to pay: Stripe says so of a payment that
    is delayed, too (https://docs.stripe.com/api/checkout/sessions/object#checkout_session_object-payment_status).
    """
    intent = session.intent
    is_free = session.payment_status == "no_payment_required" and session.amount_total == 0
    if session.payment_status == "paid" or is_free:
        return _paid(session)
    if session.payment_status != "unpaid" or (intent is not None and intent.status not in _INTENT_STATUSES):
        raise StripeOutcomeUnknown("Stripe answered with a payment of unknown status")
    is_on_its_way = intent is not None and intent.status in _ON_ITS_WAY
    if session.status == "expired" and is_on_its_way:
        raise StripeOutcomeUnknown("Stripe answered with an expired session whose payment is on its way")
    if session.status == "expired":
        return Declined(decline_code(intent) or "cancelled")
    if session.status == "complete" and intent is not None and intent.status in _FAILED:
        # A debit or transfer that the bank sent back days later.
        return Declined(decline_code(intent) or "declined")
    if session.status in {"open", "complete"}:
        return Pending(intent.id if intent else session.id, unfinished=is_unfinished(session))
    raise StripeOutcomeUnknown("Stripe answered with a session of unknown status")


def _paid(session: CheckoutSession) -> Paid:
    if session.amount_total is None or not session.currency:
        raise StripeOutcomeUnknown("Stripe answered with a paid session without an amount")
    transaction_id = session.intent.id if session.intent else session.id
    return Paid(transaction_id, from_stripe(session.amount_total, session.currency), session.currency)
