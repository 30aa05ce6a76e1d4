"""Money, numbers and dates stand on the page as CLDR writes them in the page's locale."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from babel import Locale, localedata, numbers
from hypothesis import given
from hypothesis import strategies as st

from snipcart_checkout.presentation.formats import (
    format_amount,
    format_date_time,
    format_money,
    format_number,
)
from snipcart_checkout.presentation.languages import LANGUAGES, language_tag, page_language
from snipcart_checkout.snipcart.money import UnpayableAmount, get_decimals, to_currency_code
from tests.support.sampling import sampled

LANGUAGES_OF_CLDR = {page_language(language_tag(code)).locale.partition("_")[0] for code in LANGUAGES}
LOCALES = sorted(
    name
    for name in localedata.locale_identifiers()
    if name.partition("_")[0] in LANGUAGES_OF_CLDR and name != "en_US_POSIX"
)
RLM = "\N{RIGHT-TO-LEFT MARK}"
ARABIC_DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def is_of_iso_4217(code: str) -> bool:
    try:
        return bool(to_currency_code(code))
    except UnpayableAmount:
        return False


CURRENCIES = sorted(filter(is_of_iso_4217, numbers.list_currencies()))


@pytest.mark.parametrize(
    "amount,currency,locale,expected",
    [
        ("10", "CAD", "fr_CA", "10,00 $"),
        ("10", "CAD", "fr", "10,00 $CA"),
        ("10", "CAD", "en_CA", "$10.00"),
        ("1500", "JPY", "ja", "￥1,500"),
        ("1500", "JPY", "en", "¥1,500"),
        ("1.5", "KWD", "en", "KWD 1.500"),
        ("1234.5", "KWD", "ar_EG", "١٬٢٣٤٫٥٠٠ د.ك."),
        ("1234.5", "AED", "ar_AE", "1,234.50 د.إ."),
        ("1234.5", "MAD", "ar_MA", "1.234,50 د.م."),
        ("1234.5", "ILS", "he", "1,234.50 ₪"),
        ("1234.5", "EUR", "fr", "1 234,50 €"),
        ("1234.5", "EUR", "de", "1.234,50 €"),
        ("1234.5", "EUR", "de_AT", "€ 1.234,50"),
        # With the typewriter's apostrophe since CLDR 48.
        ("1234.5", "CHF", "de_CH", "CHF 1’234.50 or CHF 1'234.50"),
        ("1234.5", "CHF", "fr_CH", "1 234.50 CHF or 1'234.50 CHF"),
        ("1234.5", "EUR", "nl", "€ 1.234,50"),
        ("1234.5", "BRL", "pt_BR", "R$ 1.234,50"),
        ("1234567.5", "INR", "en_IN", "₹12,34,567.50"),
        ("1234.5", "TWD", "zh_Hant_TW", "$1,234.50"),
        ("1234.5", "CNY", "zh_Hans_CN", "¥1,234.50"),
        # CLDR shows no decimals of these; providers charge them all the same.
        ("1234.5", "COP", "es_CO", "$1.234,50"),
        ("1234.5", "IDR", "en", "IDR 1,234.50"),
        ("1234", "CLP", "es_CL", "$1.234"),
    ],
)
def test_money_is_written_as_the_locale_writes_it(
    amount: str, currency: str, locale: str, expected: str
) -> None:
    written = format_money(Decimal(amount), currency, locale)
    assert written.replace("\u00a0", " ").replace("\u202f", " ").replace(RLM, "") in expected.split(" or ")


@pytest.mark.parametrize(
    "locale,expected",
    [
        ("en", "−€9.30"),
        ("fr", "−9,30\u00a0€"),
        ("nl", "€\u00a0−9,30"),
        ("de_CH", "EUR−9.30"),
        ("sv", "−9,30\u00a0€"),
        ("nb", "−9,30\u00a0€"),
        ("fi", "−9,30\u00a0€"),
        ("he", "\u200f\u200e−9.30\u00a0\u200f€"),
        ("ar_EG", "\u200f\u061c−٩٫٣٠\u00a0€"),
    ],
)
def test_a_discount_has_the_minus_sign_of_the_locale_in_its_place(locale: str, expected: str) -> None:
    assert format_money(Decimal("-9.3"), "EUR", locale) == expected


@pytest.mark.parametrize(
    "locale,four_digits,five_digits",
    [
        ("es", "1234", "12.345"),
        ("es_ES", "1234", "12.345"),
        ("es_MX", "1,234", "12,345"),
        ("es_AR", "1.234", "12.345"),
        ("it", "1234", "12.345"),
        ("pl", "1234", "12\u00a0345"),
        ("pt_PT", "1234", "12\u00a0345"),
        ("pt_AO", "1\u00a0234", "12\u00a0345"),
        ("pt", "1.234", "12.345"),
        ("en", "1,234", "12,345"),
        ("en_IN", "1,234", "12,345"),
    ],
)
def test_thousands_are_set_apart_where_the_locale_begins_to(
    locale: str, four_digits: str, five_digits: str
) -> None:
    assert format_number(Decimal(1234), locale) == four_digits
    assert format_number(Decimal(12345), locale) == five_digits
    assert four_digits in format_money(Decimal(1234), "EUR", locale)


def as_babel_writes_it(amount: Decimal, currency: str, locale: str) -> str:
    """The same amount by Babel alone, with the decimals of ISO 4217, the locale's digits, and a minus sign."""
    known = Locale.parse(locale)
    system = known.default_numbering_system
    written = numbers.format_currency(
        amount,
        currency,
        # The pattern with as many decimals as ISO 4217 says: Babel's own choice is CLDR's.
        format=known.currency_formats["standard"].pattern.replace(
            ".00", f".{'0' * get_decimals(currency)}".rstrip(".")
        ),
        locale=known,
        currency_digits=False,
        numbering_system=system,
    )
    if amount < 0:
        sign = numbers.get_minus_sign_symbol(known, numbering_system=system).replace("-", "\N{MINUS SIGN}")
        written = written.replace("-", sign)
    return written.translate(ARABIC_DIGITS) if system == "arab" else written


AMOUNTS = tuple(map(Decimal, ("1", "-9.3", "12345.6", "-1234567.891")))
OWN_SEPARATORS_FOR_MONEY = {"de_AT", "fr_CH"}
LOCALES_OF_PAGES = {page_language(language_tag(code)).locale for code in LANGUAGES}
USUAL_CURRENCIES = {"CHF", "EUR", "JPY", "KWD", "USD"}
COMPARED = sampled(
    itertools.product(AMOUNTS, CURRENCIES), every=4, corners=lambda case: case[1] in USUAL_CURRENCIES
)


@given(
    st.decimals(min_value=-(10**9), max_value=10**9, places=4),
    st.integers(0, 12),
    st.sampled_from(["EUR", "JPY", "KWD"]),
    st.sampled_from(["en", "fr_CA", "ar_EG"]),
)
def test_a_number_is_written_alike_whichever_way_snipcart_writes_it(
    number: Decimal, zeros: int, currency: str, locale: str
) -> None:
    """What was written is kept, and 20, 20.000 and 2E+1 are the same there."""
    same = (number, number.normalize(), Decimal(f"{number:f}{'0' * zeros}"), Decimal(f"{number:E}"))
    assert len(set(same)) == 1
    assert len({format_money.__wrapped__(one, currency, locale) for one in same}) == 1
    assert len({format_number.__wrapped__(one, locale) for one in same}) == 1


@pytest.mark.parametrize(
    "locale",
    sampled(LOCALES, every=8, corners=lambda locale: locale in OWN_SEPARATORS_FOR_MONEY | LOCALES_OF_PAGES),
)
def test_money_is_what_babel_makes_of_it_but_for_the_space_after_letters(locale: str) -> None:
    for amount, currency in COMPARED:
        exact = amount.quantize(Decimal(1).scaleb(-get_decimals(currency)))
        ours = format_money(exact, currency, locale)
        babels = as_babel_writes_it(exact, currency, locale)
        if locale in OWN_SEPARATORS_FOR_MONEY:
            ours, babels = (
                text.replace(".", "").replace(",", "").replace("\u00a0", "") for text in (ours, babels)
            )
        if Locale.parse(locale).number_symbols["latn"]["group"] == "'":
            # Babel takes some for quotes, and leaves them out.
            ours, babels = (text.replace("'", "") for text in (ours, babels))
        symbol = numbers.get_currency_symbol(currency, locale)
        assert babels in {
            ours,
            ours.replace(f"{symbol}\u00a0", symbol),
            ours.replace(f"\u00a0{symbol}", symbol),
        }


@pytest.mark.parametrize(
    "currency,locale,expected",
    [
        ("CHF", "en", "CHF\u00a010.00"),
        ("CHF", "es_MX", "CHF\u00a010.00"),
        ("USD", "en_CA", "US$10.00"),
        ("EUR", "en", "€10.00"),
        ("CNY", "ja", "元\u00a010.00"),
        ("PLN", "pl", "10,00\u00a0zł"),
    ],
)
def test_letters_that_name_a_currency_do_not_touch_the_digits(
    currency: str, locale: str, expected: str
) -> None:
    assert format_money(Decimal(10), currency, locale) == expected


def test_every_locale_of_our_languages_was_compared() -> None:
    assert len(LOCALES) > 250
    assert len(CURRENCIES) > 150


@given(
    st.decimals(min_value=-(10**11), max_value=10**11, places=2),
    st.sampled_from(["en", "fr_CA", "de_CH", "en_IN", "es", "ar_EG", "sv"]),
)
def test_the_digits_of_an_amount_are_its_own(amount: Decimal, locale: str) -> None:
    written = format_money(amount, "EUR", locale)
    digits = "".join(str(int(character)) for character in written if character.isdigit())
    assert digits == str(abs(amount)).replace(".", "")


def test_a_finer_unit_price_is_not_rounded() -> None:
    assert format_money(Decimal("0.0125"), "EUR", "en") == "€0.0125"


def test_the_noise_of_a_float_is_not_shown() -> None:
    assert format_money(Decimal("0.30000000000000004"), "EUR", "en") == "€0.30"


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(UnpayableAmount):
        format_money(Decimal(1), "XXX", "en")


@pytest.mark.parametrize(
    "amount,currency,locale,expected",
    [
        ("1234.5", "EUR", "en", "1,234.50 EUR"),
        ("1234", "JPY", "en", "1,234 JPY"),
        ("12345.5", "EUR", "es", "12.345,50 EUR"),
        ("1234.5", "EGP", "ar_EG", "١٬٢٣٤٫٥٠ EGP"),
    ],
)
def test_an_amount_for_the_bank_names_the_currency_by_its_code(
    amount: str, currency: str, locale: str, expected: str
) -> None:
    assert format_amount(Decimal(amount), currency, locale) == expected


@pytest.mark.parametrize(
    "number,locale,expected",
    [
        ("2", "en", "2"),
        ("2.50", "fr", "2,5"),
        ("1234", "ar_EG", "١٬٢٣٤"),
        ("1234", "ar_AE", "1,234"),
        ("-1", "sv", "−1"),
    ],
)
def test_a_quantity_has_no_more_decimals_than_it_has(number: str, locale: str, expected: str) -> None:
    assert format_number(Decimal(number), locale) == expected


@pytest.mark.parametrize(
    "locale,expected",
    [
        ("en", "November 24, 2026, 9:05 PM (GMT+01:00)"),
        ("en_GB", "24 November 2026, 21:05 (GMT+01:00)"),
        ("fr", "24 novembre 2026, 21:05 (UTC+01:00)"),
        ("de", "24. November 2026, 21:05 (GMT+01:00)"),
        ("ja", "2026年11月24日 21:05 (GMT+01:00)"),
        ("zh_Hans", "2026年11月24日 21:05 (GMT+01:00)"),
        ("ar_EG", "٢٤ نوفمبر ٢٠٢٦، ٩:٠٥ م (غرينتش+٠١:٠٠)"),
        ("ar_AE", "24 نوفمبر 2026، 9:05 م (غرينتش+01:00)"),
        ("fi", "24. marraskuuta 2026 21.05 (UTC+01:00)"),
    ],
)
def test_a_date_is_written_as_the_locale_writes_it(locale: str, expected: str) -> None:
    moment = datetime(2026, 11, 24, 21, 5, tzinfo=timezone(timedelta(hours=1)))
    written = format_date_time(moment, locale)
    assert written.replace("\u202f", " ").replace("\u00a0", " ") == expected
