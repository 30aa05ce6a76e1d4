"""Why a payment was declined, in words for the shopper.

Snipcart's cart has texts of its own for the codes of its label files; for every other code it shows the message
that we send, so each code has one, in the cart's language.
"""

from __future__ import annotations

from typing import Final

from django.utils import translation
from django.utils.functional import Promise

from snipcart_checkout.conf.translation import gettext_lazy as _

EXPIRED: Final = "payment_expired"
"""The code of a transfer that never came; Snipcart is notified ``invalidated``."""

_NEUTRAL: Final = _("The payment was declined. No money was taken.")
_TEXTS: Final[dict[str, Promise | str]] = {
    "card_declined": _("Your card was declined. No money was taken."),
    "declined": _("The payment was declined. No money was taken."),
    "insufficient_funds": _("There is not enough money in the account. No money was taken."),
    "expired": _("Your card has expired. No money was taken."),
    "invalid_expiration": _("The expiry date is not valid. No money was taken."),
    "invalid_date": _("The expiry date is not valid. No money was taken."),
    "invalid_month": _("The expiry month is not valid. No money was taken."),
    "invalid_year": _("The expiry year is not valid. No money was taken."),
    "invalid_number": _("The card number is not valid. No money was taken."),
    "invalid_cvv": _("The security code is not valid. No money was taken."),
    "invalid_address": _("The address does not match the one on file with your bank. No money was taken."),
    "card_not_supported": _("This type of card is not accepted. No money was taken."),
    "currency_not_supported": _("This currency is not accepted. No money was taken."),
    "amount_not_supported": _("This amount cannot be paid this way. No money was taken."),
    "cancelled": _("The payment was cancelled. No money was taken."),
    EXPIRED: _("The payment did not arrive in time."),
}


def decline_text(code: str, language: str) -> str:
    """Return the text for a backend's code in a language as Django spells it; neutral for unknown codes."""
    name = code.rpartition(".")[2].lower()
    with translation.override(language):
        return str(_TEXTS.get(name, _NEUTRAL))
