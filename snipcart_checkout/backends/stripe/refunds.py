"""Refunds at Stripe, what became of them, and why it declines one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils.functional import Promise

from snipcart_checkout.backends.base import NotFound, RefundDeclined, Refunded
from snipcart_checkout.backends.stripe.amounts import to_stripe
from snipcart_checkout.backends.stripe.api import StripeApi, StripeOutcomeUnknown, StripeRefused
from snipcart_checkout.conf.translation import gettext_lazy as _
from snipcart_checkout.snipcart.money import UnpayableAmount

if TYPE_CHECKING:
    from snipcart_checkout.backends.base import RefundRequest
    from snipcart_checkout.backends.stripe.objects import Refund

# https://docs.stripe.com/api/refunds/object#refund_object-status
_PENDING: Final = frozenset({"pending", "requires_action"})
_NOT_MADE: Final = frozenset({"failed", "canceled"})
_NO_PERMISSION: Final = _("The key in SECRET_KEY may not read or make refunds at Stripe.")
_REASONS: Final[dict[str, Promise]] = {
    "balance_insufficient": _("The balance at Stripe is too small for this refund."),
    "charge_already_refunded": _("Stripe has refunded this payment already, perhaps from its own dashboard."),
    "charge_disputed": _("The customer disputes this payment, so Stripe does not refund it."),
    "insufficient_funds": _("The balance at Stripe is too small for this refund."),
    "refund_disputed_payment": _("The customer disputes this payment, so Stripe does not refund it."),
}


def make_refund(api: StripeApi, refund: RefundRequest) -> Refunded | RefundDeclined:
    """Refund under our reference, at most once however often and late it is repeated.

    Stripe forgets idempotency keys after a day, so a refund that exists already is looked for first. Where Stripe
    refuses that search for good (400, 401, 403, 404), nothing is sent and the refund is declined: whoever repeats an
    unknown refund has to ask ``find_refund`` first, which raises for the same refusal.
    """
    try:
        units = to_stripe(refund.amount, refund.currency)
    except UnpayableAmount:
        return RefundDeclined("amount_not_supported", str(_("Stripe cannot refund exactly this amount.")))
    reference = str(refund.reference)
    try:
        found = api.find_refund(refund.transaction_id, reference)
        if found is None:
            found = api.refund(
                {
                    "payment_intent": refund.transaction_id,
                    "amount": units,
                    "metadata": {"reference": reference},
                },
                key=reference,
            )
    except StripeRefused as refused:
        return _declined(refused.code, is_permitted=refused.status not in {401, 403})
    return _to_result(found)


def find_refund(api: StripeApi, refund: RefundRequest) -> Refunded | RefundDeclined | NotFound:
    """Return what became of a refund; a search that Stripe refuses is no proof that there was none."""
    try:
        found = api.find_refund(refund.transaction_id, str(refund.reference))
    except StripeRefused as refused:
        problem = str(refused)
    else:
        return NotFound() if found is None else _to_result(found)
    raise StripeOutcomeUnknown(problem)


def _to_result(refund: Refund) -> Refunded | RefundDeclined:
    if refund.status == "succeeded" or refund.status in _PENDING:
        return Refunded(refund.id, pending=refund.status in _PENDING)
    if refund.status in _NOT_MADE:
        return _declined(refund.failure_reason)
    raise StripeOutcomeUnknown("Stripe answered with a refund of unknown status")


def _declined(code: str, *, is_permitted: bool = True) -> RefundDeclined:
    message = _REASONS.get(code, "") if is_permitted else _NO_PERMISSION
    return RefundDeclined(code or "refused", str(message))
