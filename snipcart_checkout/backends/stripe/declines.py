"""Stripe's reasons for a payment that was not made, and our codes for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from snipcart_checkout.backends.stripe.api import StripeRefused
    from snipcart_checkout.backends.stripe.objects import PaymentIntent

_AMOUNT_CODES: Final = frozenset({"amount_too_small", "amount_too_large"})
"""What https://docs.stripe.com/error-codes calls an amount that cannot be charged, whatever is tried."""
# https://docs.stripe.com/declines/codes. Those that are left out, and above all the ones for stolen or suspected cards,
# are not to be told apart by whoever holds the card.
_DECLINES: Final = {
    "card_not_supported": "card_not_supported",
    "currency_not_supported": "currency_not_supported",
    "expired_card": "expired",
    "incorrect_address": "invalid_address",
    "incorrect_cvc": "invalid_cvv",
    "incorrect_number": "invalid_number",
    "incorrect_zip": "invalid_address",
    "insufficient_funds": "insufficient_funds",
    "invalid_cvc": "invalid_cvv",
    "invalid_expiry_month": "invalid_month",
    "invalid_expiry_year": "invalid_year",
    "invalid_number": "invalid_number",
}


def decline_code(intent: PaymentIntent | None) -> str:
    """Return our code for the last attempt that failed; empty when there was none."""
    if intent is None or not intent.error_type:
        return ""
    known = _DECLINES.get(intent.decline_code) or _DECLINES.get(intent.error_code)
    return known or ("card_declined" if intent.error_type == "card_error" else "declined")


def refusal_code(refused: StripeRefused) -> str:
    """Return our code for a session that Stripe did not create."""
    if refused.code in _AMOUNT_CODES:
        return "amount_not_supported"
    is_currency = refused.param.rstrip("]").endswith("currency")
    return "currency_not_supported" if is_currency else refused.code or "declined"
