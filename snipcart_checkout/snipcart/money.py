"""Exact money: the currencies, their decimals, and the amounts that can be paid.

Decimals follow ISO 4217, because providers charge by it. CLDR, which formats prices, differs for
several currencies (no decimals for COP or LAK) and is not used here.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

MAX_MINOR_UNITS: Final = 10**13 - 1
"""The largest accepted amount, in minor units. A binary float can still represent it exactly."""

_TWO_DECIMALS: Final = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF "
    "CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ "
    "GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD "
    "MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD "
    "RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH "
    "USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG ZWL"
)
_DECIMALS: Final[dict[str, int]] = {
    **dict.fromkeys(_TWO_DECIMALS.split(), 2),
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}
# Snipcart's amounts pass through binary floats; noise this small is not a fraction of a cent.
_NOISE: Final = Decimal("0.000001")
# Wide enough that every amount up to MAX_MINOR_UNITS and any float noise on it is handled exactly.
_EXACT: Final = Context(prec=60)


class UnpayableAmount(ValueError):
    """An amount or currency that cannot be charged exactly. The message contains no outside text."""


def to_currency_code(text: object) -> str:
    """Return an ISO 4217 code in upper case; raise UnpayableAmount for anything else."""
    code = text.upper() if isinstance(text, str) and text.isascii() else ""
    if code not in _DECIMALS:
        raise UnpayableAmount("the currency is not one of ISO 4217")
    return code


def get_decimals(currency: str) -> int:
    """Return the number of decimals of an upper-case ISO 4217 code: 0, 2, 3 or 4."""
    try:
        return _DECIMALS[currency]
    except KeyError:
        raise UnpayableAmount("the currency is not one of ISO 4217") from None


def to_minor_units(amount: object, currency: str) -> int:
    """Return a Decimal or int in the currency's smallest unit: 12.34 EUR is 1234.

    A value within a millionth of a minor unit of a whole number is that number, because Snipcart sends
    floats. Anything else that is not a positive, exact amount up to MAX_MINOR_UNITS raises
    UnpayableAmount; nothing is rounded to fit.
    """
    if isinstance(amount, bool) or not isinstance(amount, (int, Decimal)):
        raise UnpayableAmount("the amount is not a number")
    value = Decimal(amount)
    if not value.is_finite():
        raise UnpayableAmount("the amount is not a number")
    places = get_decimals(currency)
    if value.adjusted() + places > 13:
        raise UnpayableAmount("the amount is too large")
    scaled = value.scaleb(places, _EXACT)
    whole = scaled.to_integral_value(ROUND_HALF_EVEN)
    if _EXACT.subtract(scaled, whole).copy_abs() > _NOISE:
        raise UnpayableAmount("the amount has more decimals than its currency")
    return _within_limits(int(whole))


def _within_limits(units: int) -> int:
    if not 0 < units <= MAX_MINOR_UNITS:
        raise UnpayableAmount("the amount is not positive, or too large")
    return units


def to_amount(units: int, currency: str) -> Decimal:
    """Return minor units as a Decimal with exactly the currency's decimals: 1234 EUR is 12.34."""
    return Decimal(units).scaleb(-get_decimals(currency), _EXACT)
