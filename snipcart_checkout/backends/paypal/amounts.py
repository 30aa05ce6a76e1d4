"""Amounts as PayPal writes them: a text in major units, with the decimals that PayPal has for the currency.

The currencies, and those without decimals, are PayPal's own list:
https://developer.paypal.com/api/rest/reference/currency-codes/.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from snipcart_checkout.snipcart.money import UnpayableAmount

if TYPE_CHECKING:
    from snipcart_checkout.backends.base import PaymentBackend

CURRENCIES: Final = frozenset(
    "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN RUB SEK SGD THB TWD USD".split()
)
CURRENCY_DECIMALS: Final = {"HUF": 0, "JPY": 0, "TWD": 0}
"""HUF and TWD have two decimals in ISO 4217."""


class UnpayableCurrency(UnpayableAmount):
    """A currency that PayPal does not take."""


def to_money(backend: PaymentBackend, amount: Decimal, currency: str) -> dict[str, str]:
    """Return PayPal's ``money`` object for an amount in major units.

    Raises UnpayableCurrency for a currency that PayPal does not take, and UnpayableAmount for an amount that PayPal's
    decimals cannot hold exactly.
    """
    if currency not in CURRENCIES:
        raise UnpayableCurrency("PayPal does not take this currency")
    return {"currency_code": currency, "value": backend.to_major_units(amount, currency)}
