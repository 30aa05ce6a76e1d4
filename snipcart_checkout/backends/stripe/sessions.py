"""What a Checkout Session is made of: the same for every repeat of a charge, or Stripe would refuse the repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils import translation

from snipcart_checkout.backends.emails import get_email
from snipcart_checkout.backends.stripe.amounts import to_stripe
from snipcart_checkout.conf.translation import gettext as _

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams

    from snipcart_checkout.backends.base import Charge

_LOCALES: Final = frozenset(
    "bg cs da de el en es et fi fr hr hu id it ja ko lt lv ms mt nb nl pl pt ro ru sk sl sv th tr vi zh".split()
)
_OTHER_LOCALES: Final = {"en-gb": "en-GB", "fr-ca": "fr-CA", "pt-br": "pt-BR", "zh-hant": "zh-TW"}
_LONGEST_NAME: Final = 250


def build_session_params(charge: Charge, *, product_name: object = None) -> SessionCreateParams:
    """Return the parameters of a charge's session; raise UnpayableAmount for what Stripe cannot charge.

    One line holds the whole amount: the lines of a Snipcart order need not add up to its total. Discount codes,
    taxes and prices in other currencies are left out, so that the total stays the one that Snipcart named.
    """
    reference = {"reference": str(charge.reference)}
    params: SessionCreateParams = {
        "mode": "payment",
        "submit_type": "pay",
        "client_reference_id": str(charge.reference),
        "metadata": reference,
        "payment_intent_data": {"metadata": reference},
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": charge.currency.lower(),
                    "unit_amount": to_stripe(charge.amount, charge.currency),
                    "product_data": {"name": _product_name(charge, product_name)},
                },
            }
        ],
        "adaptive_pricing": {"enabled": False},
        "locale": _locale(charge.language),
        "success_url": charge.return_url,
        "cancel_url": charge.return_url,
    }
    if email := get_email(charge):
        params["customer_email"] = email
    return params


def _product_name(charge: Charge, product_name: object) -> str:
    with translation.override(charge.language):
        return str(product_name or "").strip()[:_LONGEST_NAME] or _("Your order")


def _locale(language: str) -> str:
    """Return the page's language for a code as Django spells it; where Stripe has none, the browser's."""
    code = language.lower()
    base = code.partition("-")[0]
    return _OTHER_LOCALES.get(code) or (base if base in _LOCALES else "auto")
