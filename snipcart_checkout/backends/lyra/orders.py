"""What a payment order is made of, and which amounts and languages Lyra knows.

Fields: https://docs.lyra.com/en/rest/V4.0/api/kb/url_payment_order.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from snipcart_checkout.snipcart.money import UnpayableAmount

if TYPE_CHECKING:
    from snipcart_checkout.backends.base import Charge
from snipcart_checkout.backends.emails import get_email

_MAX_AMOUNT: Final = 10**12 - 1
CURRENCIES: Final = frozenset(
    (
        "ARS AUD BRL CAD CHF CNY COP CZK DKK EUR GBP HKD HUF IDR INR JPY KHR KRW KWD MAD MXN MYR NOK NZD PEN PHP PLN RUB "
        "SEK SGD THB TND TRY TWD USD XOF XPF ZAR"
    ).split()
)
"""The currencies that Lyra takes; which of them a shop takes is a matter of its contracts."""
CURRENCY_DECIMALS: Final = {"CNY": 1, "KHR": 0}
"""Lyra gives these other decimals than ISO 4217."""
_LOCALES: Final = {
    "de": "de_DE",
    "en": "en_GB",
    "en-us": "en_US",
    "es": "es_ES",
    "fr": "fr_FR",
    "it": "it_IT",
    "ja": "ja_JP",
    "nl": "nl_NL",
    "pl": "pl_PL",
    "pt": "pt_PT",
    "pt-br": "pt_BR",
    "ru": "ru_RU",
    "sv": "sv_SE",
    "tr": "tr_TR",
    "zh": "zh_CN",
}
"""The languages of Lyra's payment page; in every other one it speaks the shop's own."""
_LONGEST_EMAIL: Final = 150
_LONGEST_URL: Final = 255


def build_order_params(charge: Charge, *, units: int, minutes: int) -> dict[str, Any]:
    """Return the parameters of a charge's payment order; raise UnpayableAmount for what Lyra cannot charge.

    ``units`` is the amount in Lyra's smallest unit, of at most 12 digits. ``orderId`` is the reference: 36 of at most
    64 characters, of letters, digits and hyphens. ``minutes`` from now Lyra's page is closed.
    """
    if charge.currency not in CURRENCIES or units > _MAX_AMOUNT:
        raise UnpayableAmount("Lyra does not take this amount or currency")
    return {
        "amount": units,
        "currency": charge.currency,
        "orderId": str(charge.reference),
        "channelOptions": {"channelType": "URL"},
        "expirationDate": _in_minutes(minutes),
        "returnUrl": charge.return_url,
        **_optional_params(charge),
    }


def _optional_params(charge: Charge) -> Mapping[str, Any]:
    """Return what Lyra does without, each only where Lyra would not refuse the whole order for it."""
    language = charge.language.lower()
    locale = _LOCALES.get(language) or _LOCALES.get(language.partition("-")[0])
    email = get_email(charge)
    return {
        **({"locale": locale} if locale else {}),
        **({"customer": {"email": email}} if email and len(email) <= _LONGEST_EMAIL else {}),
        **({"ipnTargetUrl": charge.notification_url} if _is_reachable(charge.notification_url) else {}),
    }


def _in_minutes(minutes: int) -> str:
    return (timezone.now() + timedelta(minutes=minutes)).isoformat(timespec="seconds")


def _is_reachable(url: str) -> bool:
    # Lyra's own rule of notification stays in force without it.
    return url.startswith("https://") and len(url) <= _LONGEST_URL
