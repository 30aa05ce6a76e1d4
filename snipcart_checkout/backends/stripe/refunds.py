"""Refunds at Stripe, and why it declines one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from snipcart_checkout.backends.base import RefundDeclined, Refunded
from snipcart_checkout.backends.stripe.amounts import to_stripe
from snipcart_checkout.backends.stripe.api import StripeApi, StripeRefusal, StripeTrouble
from snipcart_checkout.money import UnpayableAmount

if TYPE_CHECKING:
    from snipcart_checkout.backends.base import RefundRequest
    from snipcart_checkout.backends.stripe.objects import Refund

__all__ = ["make_refund"]

_MADE: Final = frozenset({"succeeded", "pending", "requires_action"})
_NOT_MADE: Final = frozenset({"failed", "canceled"})
_REASONS: Final[dict[str, Promise]] = {
    "balance_insufficient": _("The balance at Stripe is too small for this refund."),
    "charge_already_refunded": _("Stripe has refunded this payment already, perhaps from its own dashboard."),
    "charge_disputed": _("The customer disputes this payment, so Stripe does not refund it."),
    "insufficient_funds": _("The balance at Stripe is too small for this refund."),
    "refund_disputed_payment": _("The customer disputes this payment, so Stripe does not refund it."),
}


def make_refund(api: StripeApi, refund: RefundRequest) -> Refunded | RefundDeclined:
    """Refund under our reference, at most once however often and late it is repeated.

    Stripe forgets idempotency keys after a day, so a refund that exists already is looked for first. One that is
    pending counts as made: Stripe has taken it on, and a bank may need days.
    """
    reference = str(refund.reference)
    try:
        units = to_stripe(refund.amount, refund.currency)
    except UnpayableAmount:
        return RefundDeclined("amount_not_supported", str(_("Stripe cannot refund exactly this amount.")))
    found = _find(api, refund.transaction_id, reference)
    if found is not None:
        return _result(found)
    try:
        made = api.refund(
            {
                "payment_intent": refund.transaction_id,
                "amount": units,
                "metadata": {"reference": reference},
            },
            key=reference,
        )
    except StripeRefusal as refusal:
        return _declined(refusal.code)
    return _result(made)


def _find(api: StripeApi, transaction_id: str, reference: str) -> Refund | None:
    try:
        return api.find_refund(transaction_id, reference)
    except StripeRefusal as refusal:
        problem = str(refusal)
    # Stripe did not say that there is none, so nothing is known yet.
    raise StripeTrouble(problem)


def _result(refund: Refund) -> Refunded | RefundDeclined:
    if refund.status in _MADE:
        return Refunded(refund.id)
    if refund.status in _NOT_MADE:
        return _declined(refund.failure_reason)
    raise StripeTrouble("Stripe answered with a refund of unknown status")


def _declined(code: str) -> RefundDeclined:
    return RefundDeclined(code or "refused", str(_REASONS.get(code, "")))
