"""Where the page of a payment leads: by itself, or by its button."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise

from snipcart_checkout.conf.translation import gettext_lazy as _
from snipcart_checkout.models import Payment

_State = Payment.State
_TO_THE_SHOP: Final = _("Back to the shop")
_TO_THE_ORDER: Final = _("Continue to your order")
_TO_THE_PROVIDER: Final = _("Continue to payment")
_ORDERED: Final = frozenset({_State.PENDING, _State.PAID, _State.REVIEW})


def find_next_step(payment: Payment, *, is_forwarded: bool) -> tuple[str, Promise | str]:
    """Return address and words of the button: on to the provider, to the order, or back to the shop."""
    if is_forwarded:
        return payment.redirect_url, _TO_THE_PROVIDER
    if payment.order_url:
        return payment.order_url, _TO_THE_ORDER if payment.state in _ORDERED else _TO_THE_SHOP
    return payment.cart_url, _TO_THE_SHOP


def find_redirect(payment: Payment, *, is_forwarded: bool, is_to_be_read: bool) -> str:
    """Return where the page leads at once; empty where it is to be read, and then it never moves by itself."""
    if payment.redirect_url:
        return payment.redirect_url if is_forwarded else ""
    if is_to_be_read or payment.state in {_State.CHARGING, _State.UNKNOWN, _State.REVIEW}:
        return ""
    return payment.order_url
