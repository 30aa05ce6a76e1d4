"""Mollie's reasons for a payment that was not made, and our codes for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from snipcart_checkout.backends.mollie.api import MollieRefused
    from snipcart_checkout.backends.mollie.objects import MolliePayment

_DECLINE_CODES: Final = {"canceled": "cancelled", "expired": "cancelled", "failed": "declined"}
_FAILURE_REASONS: Final = {
    "authentication_abandoned": "cancelled",
    "authentication_failed": "card_declined",
    "authentication_required": "card_declined",
    "authentication_unavailable_acs": "card_declined",
    "card_declined": "card_declined",
    "card_expired": "expired",
    "inactive_card": "card_declined",
    "insufficient_funds": "insufficient_funds",
    "invalid_card_holder_name": "card_declined",
    "invalid_card_number": "invalid_number",
    "invalid_card_type": "card_not_supported",
    "invalid_cvv": "invalid_cvv",
    "possible_fraud": "card_declined",
    "refused_by_issuer": "card_declined",
    "unknown_reason": "declined",
}
"""Every ``details.failureReason`` of a card payment, https://docs.mollie.com/reference/get-payment."""


def decline_code(payment: MolliePayment) -> str:
    """Return our code for a payment that Mollie calls canceled, expired or failed."""
    reason = _FAILURE_REASONS.get(payment.failure_reason) if payment.status == "failed" else None
    return reason or _DECLINE_CODES[payment.status]


def refusal_code(refused: MollieRefused) -> str:
    """Return our code for a payment that Mollie did not create."""
    if "currency" in refused.field:
        return "currency_not_supported"
    return "amount_not_supported" if refused.field.startswith("amount") else "declined"
