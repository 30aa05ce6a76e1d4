"""What a payment at Mollie is made of: the same for every repeat of a charge, or Mollie would refuse the repeat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from django.utils import translation

from snipcart_checkout.conf.translation import gettext as _

if TYPE_CHECKING:
    from snipcart_checkout.backends.base import Charge

_LOCALES: Final = frozenset(
    "ca_ES cs_CZ da_DK de_AT de_CH de_DE de_LU en_BE en_GB en_NL en_US es_ES fi_FI fr_BE fr_FR fr_LU hu_HU is_IS "
    "it_IT lt_LT lv_LV nb_NO nl_BE nl_NL pl_PL pt_PT sk_SK sv_SE".split()
)
"""The languages of Mollie's page, https://docs.mollie.com/reference/create-payment#body-params-locale."""

_MAIN_LOCALES: Final = {
    **{locale[:2]: locale for locale in _LOCALES},
    "de": "de_DE",
    "en": "en_US",
    "fr": "fr_FR",
    "nl": "nl_NL",
    "nn": "nb_NO",
    "no": "nb_NO",
}
_LEADS_TO_MOLLIE: Final = frozenset({"banktransfer", "creditcard", "ideal"})
"""Ways to pay whose own link leads to Mollie's or iDEAL's page, by the examples of Mollie's specification.

Another one is named in a list of one, for which Mollie shows its selection screen: the link of a single way to pay
may lead anywhere.
"""
_LONGEST_DESCRIPTION: Final = 140  # of a refund; a payment may have 255


def build_payment(
    charge: Charge, value: str, description: str, *, methods: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the body of a charge's payment.

    ``value`` is its amount with exactly the currency's decimals (https://docs.mollie.com/docs/multicurrency).

    Neither the shopper's e-mail address nor anything else of the cart is in it. With an address, Mollie would send
    instructions for a transfer the moment that the payment is created, and a shopper could pay one that we never heard of.
    """
    body: dict[str, Any] = {
        "amount": {"currency": charge.currency, "value": value},
        "description": description,
        "redirectUrl": charge.return_url,
        "cancelUrl": charge.return_url,
        "metadata": {"reference": str(charge.reference)},
    }
    if charge.notification_url.startswith(
        "https://"
    ):  # else nobody outside can reach it, and Mollie refuses it
        body["webhookUrl"] = charge.notification_url
    if locale := to_locale(charge.language):
        body["locale"] = locale
    if methods:
        body["method"] = methods[0] if len(methods) == 1 and methods[0] in _LEADS_TO_MOLLIE else list(methods)
    return body


def to_locale(language: str) -> str:
    """Return Mollie's locale for a code as Django spells it; empty where Mollie has none and asks the browser."""
    base, _dash, region = language.lower().partition("-")
    locale = f"{base}_{region.upper()}"
    return locale if locale in _LOCALES else _MAIN_LOCALES.get(base, "")


def build_description(charge: Charge, text: object = None) -> str:
    """Return what a statement says of a payment or a refund of it: the merchant's words and the payment reference."""
    digits = charge.reference.hex[:8].upper()
    reference = f"{digits[:4]}-{digits[4:]}"
    with translation.override(charge.language):
        words = str(text or "").strip() or _("Your order")
    return f"{words[: _LONGEST_DESCRIPTION - len(reference) - 1]} {reference}"
