"""Amounts as Stripe counts them.

Stripe's smallest unit is not always ISO 4217's (https://docs.stripe.com/currencies), so our minor units are no use here.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from snipcart_checkout.snipcart.money import UnpayableAmount, get_decimals

_ZERO_DECIMAL: Final = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
"""MGA has decimals in ISO 4217 and none here. ISK and UGX have none in ISO 4217, but Stripe wants two zeros of them.

HUF and TWD are charged like any currency of two decimals; only payouts of them are of whole units.
"""
_STEP: Final = {3: 10}
"""Stripe wants the last digit of a currency of three decimals to be 0."""


def to_stripe(amount: Decimal, currency: str) -> int:
    """Return an amount in major units as Stripe's integer; raise UnpayableAmount where Stripe cannot charge it."""
    places = _places(currency)
    units = amount.scaleb(places)
    if units != units.to_integral_value() or units <= 0 or int(units) % _STEP.get(places, 1):
        raise UnpayableAmount("Stripe cannot charge this amount exactly")
    return int(units)


def from_stripe(units: int, currency: str) -> Decimal:
    """Return Stripe's integer as an amount in major units, for an upper-case code."""
    return Decimal(units).scaleb(-_places(currency))


def _places(currency: str) -> int:
    if currency in _ZERO_DECIMAL:
        return 0
    places = get_decimals(currency)
    if places > 3:
        raise UnpayableAmount("Stripe has no currency of four decimals")
    return max(places, 2)
