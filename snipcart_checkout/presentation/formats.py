"""Money, numbers and dates as the shopper's language writes them.

CLDR (by Babel) says how; ISO 4217 (``money``) says how many decimals. Babel reads locale and pattern anew for every
amount, which is most of what it costs, so what it would find is read once per locale and currency and kept here. A shop's
prices and quantities come again from line to line and order to order, so the latest are kept as text, too.
What CLDR says and Babel leaves out is done here, too: the locale's own digits and minus sign, its separators for
money, the space after a currency symbol of letters (``CHF 10.00``), and no thousands separator in ``1234,50``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from functools import lru_cache
from typing import Final

from babel import Locale, dates, numbers

from snipcart_checkout.snipcart.money import get_decimals

# Babel chooses the separators of a numbering system but leaves the digits as they are.
_DIGITS: Final = {"arab": "٠١٢٣٤٥٦٧٨٩"}
# Prices per unit may be finer than the currency, and Snipcart's floats bring noise. What is shown beyond the
# currency's own decimals ends where the noise begins.
_FINER: Final = 6
_EXACT: Final = Context(prec=60)
# CLDR's minimumGroupingDigits, which Babel's data lacks: these set thousands apart from 10 000 on.
_LATE_GROUPING: Final = frozenset(
    "es es_EA es_ES es_GQ es_IC es_PH it it_CH it_IT it_SM it_VA pl pl_PL pt_CH pt_CV pt_GQ pt_GW pt_LU pt_MO "
    "pt_MZ pt_PT pt_ST pt_TL".split()
)
_NO_BREAK_SPACE: Final = "\N{NO-BREAK SPACE}"
_MINUS: Final = "\N{MINUS SIGN}"


@lru_cache(maxsize=4096)
def format_money(amount: Decimal, currency: str, locale: str) -> str:
    """Return an amount in major units with the currency's symbol, like ``10,00 $`` or ``¥1,500``.

    It has the decimals of ISO 4217, and more where the amount has more: nothing is rounded to a figure that
    it is not. ``currency`` is an upper-case ISO 4217 code, else UnpayableAmount is raised.
    """
    return _money_format(locale, currency).text(amount)


def format_amount(amount: Decimal, currency: str, locale: str) -> str:
    """Return an amount in major units with its currency's code, like ``1,234.50 EUR``, for forms of banks."""
    return f"{_amount_format(locale, currency).text(amount)} {currency}"


@lru_cache(maxsize=1024)
def format_number(number: Decimal, locale: str) -> str:
    """Return a plain number, such as a quantity, with no more decimals than it has."""
    return _number_format(locale).text(number)


def format_date_time(moment: datetime, locale: str) -> str:
    """Return date, time and offset from UTC of an aware datetime, in the datetime's own zone."""
    cldr = Locale.parse(locale)
    date, time = format_date(moment, locale), dates.format_time(moment, "short", locale=cldr)
    offset = dates.get_timezone_gmt(moment, "long", locale=cldr)
    time = _unbroken(f"{time} ({offset})").translate(_digits(cldr))
    return str(dates.get_datetime_format("medium", locale=cldr)).replace("{1}", date).replace("{0}", time)


def format_date(moment: datetime, locale: str) -> str:
    """Return the date of an aware datetime in the datetime's own zone; no line breaks within it."""
    cldr = Locale.parse(locale)
    return _unbroken(dates.format_date(moment, "long", locale=cldr)).translate(_digits(cldr))


def _unbroken(text: str) -> str:
    return text.replace(" ", _NO_BREAK_SPACE)


def format_plain_amount(amount: Decimal, currency: str, locale: str) -> str:
    """Return an amount as it is typed into a bank's form: the currency's decimals, no currency, no thousands apart."""
    digits = format(amount.quantize(Decimal(1).scaleb(-get_decimals(currency))), "f")
    return digits.replace(".", _amount_format(locale, currency).point)


def warm(locales: Iterable[str]) -> None:
    """Load what the first page in each of these locales would otherwise wait for."""
    for locale in locales:
        format_money(Decimal(1), "EUR", locale)
        format_number(Decimal(1), locale)
        _ = Locale.parse(locale).territories


@dataclass(frozen=True, kw_only=True)
class _Format:
    """What surrounds, groups and separates the digits of a number in one locale."""

    positive: tuple[str, str]
    negative: tuple[str, str]
    places: int
    point: str
    comma: str
    groups: tuple[int, int]
    ungrouped: int
    digits: dict[int, str]

    def text(self, number: Decimal) -> str:
        written = str(number)
        if "E" in written:
            written = format(number, "f")
        whole, _, fraction = written.removeprefix("-").partition(".")
        if len(fraction) > self.places:
            whole, fraction = self._rounded(number)
        digits = whole if len(whole) <= self.ungrouped else self._grouped(whole)
        if self.places or fraction:
            digits += self.point + fraction.ljust(self.places, "0")
        if self.digits:
            digits = digits.translate(self.digits)
        before, after = self.negative if number < 0 else self.positive
        return before + digits + after

    def _rounded(self, number: Decimal) -> tuple[str, str]:
        finest = Decimal(1).scaleb(-self.places - _FINER)
        whole, _, fraction = format(abs(number).quantize(finest, context=_EXACT), "f").partition(".")
        return whole, fraction.rstrip("0")

    def _grouped(self, whole: str) -> str:
        first, others = self.groups
        parts = [whole[-first:]]
        whole = whole[:-first]
        while whole:
            parts.append(whole[-others:])
            whole = whole[:-others]
        return self.comma.join(reversed(parts))


@lru_cache(maxsize=512)
def _money_format(locale: str, currency: str) -> _Format:
    cldr = Locale.parse(locale)
    return _read_format(cldr, cldr.currency_formats["standard"], get_decimals(currency), currency)


@lru_cache(maxsize=128)
def _amount_format(locale: str, currency: str) -> _Format:
    cldr = Locale.parse(locale)
    return _read_format(cldr, cldr.decimal_formats[None], get_decimals(currency), None)


@lru_cache(maxsize=128)
def _number_format(locale: str) -> _Format:
    cldr = Locale.parse(locale)
    return _read_format(cldr, cldr.decimal_formats[None], 0, None)


def _read_format(cldr: Locale, pattern: numbers.NumberPattern, places: int, currency: str | None) -> _Format:
    system = _numbering_system(cldr)
    positive, negative = (
        _surroundings(pattern.apply(one, cldr, currency=currency, numbering_system=system)) for one in (1, -1)
    )
    symbol = numbers.get_currency_symbol(currency, cldr) if currency else ""
    # A hyphen is no minus sign: it is shorter, and lines may break behind it.
    minus = numbers.get_minus_sign_symbol(cldr, numbering_system=system).replace("-", _MINUS)
    return _Format(
        positive=_spaced(positive, symbol),
        negative=_spaced((negative[0].replace("-", minus), negative[1].replace("-", minus)), symbol),
        places=places,
        point=_separator(cldr, system, "Decimal", for_money=bool(currency)),
        comma=_separator(cldr, system, "Group", for_money=bool(currency)),
        groups=pattern.grouping,
        ungrouped=pattern.grouping[0] + (str(cldr) in _LATE_GROUPING),
        digits=_digits(cldr),
    )


def _surroundings(formatted: str) -> tuple[str, str]:
    """Return what stands before the first and after the last digit."""
    where = [index for index, character in enumerate(formatted) if character.isdigit()]
    return formatted[: where[0]], formatted[where[-1] + 1 :]


def _spaced(surroundings: tuple[str, str], symbol: str) -> tuple[str, str]:
    """Set a currency symbol off from the digits that it touches, unless a sign like ``$`` is what touches them."""
    before, after = surroundings
    if symbol and before.endswith(symbol) and _is_no_sign(symbol[-1]):
        before += _NO_BREAK_SPACE
    if symbol and after.startswith(symbol) and _is_no_sign(symbol[0]):
        after = _NO_BREAK_SPACE + after
    return before, after


def _is_no_sign(character: str) -> bool:
    return unicodedata.category(character)[0] not in "SZ"


def _separator(cldr: Locale, system: str, name: str, *, for_money: bool) -> str:
    symbols = cldr.number_symbols[system]
    own = symbols.get(f"currency{name}") if for_money else None
    return str(own or symbols[name.lower()])


def _numbering_system(cldr: Locale) -> str:
    system = cldr.default_numbering_system
    return system if system in _DIGITS else "latn"


def _digits(cldr: Locale) -> dict[int, str]:
    return dict(zip(map(ord, "0123456789"), _DIGITS.get(cldr.default_numbering_system, ""), strict=False))
