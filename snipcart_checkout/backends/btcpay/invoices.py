"""What a new invoice is made of.

It is a CreateInvoiceRequest of https://docs.btcpayserver.org/API/Greenfield/v1/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from snipcart_checkout.backends.base import Charge
from snipcart_checkout.backends.emails import get_email
from snipcart_checkout.snipcart.money import to_amount

_LANGUAGES: Final = frozenset(
    "am ar az bg bs ca cs da de el en es fa fi fr he hi hr hu hy id is it ja ka kk ko lv nl no pl pt ro ru sk sl "
    "sr sv th tr uk vi zh zu".split()
)
"""Languages of BTCPay Server's page. For one that it does not have it refuses the whole invoice."""
_OTHER_LANGUAGES: Final = {
    "nb": "no",
    "nn": "no",
    "pt-br": "pt-BR",
    "pt": "pt-PT",
    "zh-hant": "zh-TW",
    "zh-hans": "zh-SG",
}


def build_invoice_body(charge: Charge) -> Mapping[str, Any]:
    """Return the body of a charge's invoice.

    How long it can be paid, how many confirmations it takes and which coins are accepted are left
    to the settings of the store at BTCPay Server.
    """
    return {
        "amount": f"{to_amount(charge.minor_units, charge.currency):f}",
        "currency": charge.currency,
        "metadata": _metadata(charge),
        "checkout": _checkout(charge),
    }


def _metadata(charge: Charge) -> Mapping[str, str]:
    email = get_email(charge)
    return {"orderId": str(charge.reference), **({"buyerEmail": email} if email else {})}


def _checkout(charge: Charge) -> Mapping[str, Any]:
    language = _language(charge.language)
    return {
        "redirectURL": charge.return_url,
        "redirectAutomatically": True,
        **({"defaultLanguage": language} if language else {}),
    }


def _language(language: str) -> str:
    """Return the page's language for a code as Django spells it; empty for the store's own."""
    code = language.lower()
    base = code.partition("-")[0]
    return _OTHER_LANGUAGES.get(code) or _OTHER_LANGUAGES.get(base) or (base if base in _LANGUAGES else "")
