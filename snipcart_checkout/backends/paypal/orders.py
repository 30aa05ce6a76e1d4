"""What an order is made of: the same for every repeat of a charge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.utils import translation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from snipcart_checkout.backends.base import Charge

LONGEST_BRAND: Final = 127
_LOCALES: Final = {
    "ar": "ar-EG",
    "cs": "cs-CZ",
    "da": "da-DK",
    "de": "de-DE",
    "de-at": "de-AT",
    "de-ch": "de-CH",
    "el": "el-GR",
    "en": "en-US",
    "en-au": "en-AU",
    "en-gb": "en-GB",
    "es": "es-ES",
    "fi": "fi-FI",
    "fr": "fr-FR",
    "fr-be": "fr-BE",
    "fr-ca": "fr-CA",
    "fr-ch": "fr-CH",
    "he": "he-IL",
    "hu": "hu-HU",
    "id": "id-ID",
    "it": "it-IT",
    "ja": "ja-JP",
    "ko": "ko-KR",
    "nb": "no-NO",
    "nl": "nl-NL",
    "nl-be": "nl-BE",
    "nn": "no-NO",
    "no": "no-NO",
    "pl": "pl-PL",
    "pt": "pt-PT",
    "pt-br": "pt-BR",
    "ru": "ru-RU",
    "sk": "sk-SK",
    "sv": "sv-SE",
    "th": "th-TH",
    "zh": "zh-CN",
    "zh-hans": "zh-CN",
    "zh-hant": "zh-TW",
    "zh-hk": "zh-HK",
    "zh-tw": "zh-TW",
}
"""Languages as Django spells them, and as PayPal does: https://developer.paypal.com/reference/locale-codes/."""


def build_order_body(
    charge: Charge, money: Mapping[str, str], *, brand_name: object = None
) -> dict[str, Any]:
    """Return the body of ``POST /v2/checkout/orders`` for an amount as PayPal writes it.

    One purchase unit holds the whole amount: the lines of a Snipcart order need not add up to its total. Nothing of
    the shopper is sent, and PayPal asks for no address, for Snipcart has it already.
    """
    reference = str(charge.reference)
    return {
        "intent": "CAPTURE",
        "purchase_units": [
            {
                "custom_id": reference,
                "invoice_id": reference,
                "amount": dict(money),
            }
        ],
        "payment_source": {"paypal": {"experience_context": _experience(charge, brand_name)}},
    }


def to_locale(language: str) -> str:
    """Return PayPal's locale for a language as Django spells it; empty where PayPal is to choose."""
    code = language.lower().replace("_", "-")
    return _LOCALES.get(code) or _LOCALES.get(code.partition("-")[0], "")


def _experience(charge: Charge, brand_name: object) -> dict[str, str]:
    with translation.override(charge.language):
        brand = " ".join(str(brand_name or "").split())[:LONGEST_BRAND]
    given = {"brand_name": brand, "locale": to_locale(charge.language)}
    return {
        **{name: value for name, value in given.items() if value},
        "shipping_preference": "NO_SHIPPING",
        "user_action": "PAY_NOW",
        "return_url": charge.return_url,
        "cancel_url": charge.return_url,
    }
