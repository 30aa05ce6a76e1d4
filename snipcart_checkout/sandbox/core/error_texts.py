"""The texts that the cart has for codes of failed payments, in words of our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise

from snipcart_checkout.sandbox.translation import gettext_lazy as _

ERROR_TEXTS: Final[Mapping[str, str | Promise]] = {
    "invalid_number": _("The card number is not valid."),
    "invalid_date": _("The card's date is not valid."),
    "invalid_year": _("The card's year is not valid."),
    "invalid_month": _("The card's month is not valid."),
    "invalid_cvv": _("The card's security code is not valid."),
    "invalid_expiration": _("The card's expiry date is not valid."),
    "expired": _("The card has expired."),
    "declined": _("The card was declined."),
    "invalid_address": _("The billing address does not belong to the card."),
    "insufficient_funds": _("There is not enough money on the card."),
    "card_not_supported": _("This kind of card is not accepted."),
    "currency_not_supported": _("The card cannot be charged in this currency."),
}
"""For every other code the cart shows the message that was sent with it."""
