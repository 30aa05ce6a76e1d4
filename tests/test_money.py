"""Money is exact: in whole minor units, or refused."""

from __future__ import annotations

import json
from decimal import ROUND_DOWN, Decimal, localcontext

import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from snipcart_checkout.snipcart import read_json
from snipcart_checkout.snipcart.money import (
    MAX_MINOR_UNITS,
    UnpayableAmount,
    get_decimals,
    to_amount,
    to_currency_code,
    to_minor_units,
)

DECIMALS = {"JPY": 0, "KRW": 0, "EUR": 2, "USD": 2, "COP": 2, "HUF": 2, "KWD": 3, "TND": 3, "CLF": 4}


class TestCurrencies:
    @pytest.mark.parametrize("code", ["eur", "EUR", "Eur"])
    def test_a_code_is_read_in_any_case(self, code: str) -> None:
        assert to_currency_code(code) == "EUR"

    @pytest.mark.parametrize(
        "code",
        ["", "EU", "EURO", "XXX", "XAU", "€", "ＥＵＲ", "ıdr", "uſd", " EUR", "eur\n", None, 978, b"EUR"],
    )
    def test_what_is_no_code_of_iso_4217_is_refused(self, code: object) -> None:
        with pytest.raises(UnpayableAmount):
            to_currency_code(code)

    @pytest.mark.parametrize("code, expected", DECIMALS.items())
    def test_each_currency_has_its_own_decimals(self, code: str, expected: int) -> None:
        assert get_decimals(code) == expected

    def test_every_currency_that_a_country_pays_with_has_decimals(self) -> None:
        spent = {
            code
            for currencies in get_global("territory_currencies").values()
            for code, _since, until, is_tender in currencies
            if until is None and is_tender
        }
        assert {get_decimals(code) for code in spent} == {0, 2, 3}

    @pytest.mark.parametrize("code", ["eur", "XXX", ""])
    def test_only_codes_that_were_read_have_decimals(self, code: str) -> None:
        with pytest.raises(UnpayableAmount):
            get_decimals(code)


class TestMinorUnits:
    @pytest.mark.parametrize(
        "amount, currency, expected",
        [
            ("12.34", "EUR", 1234),
            ("12.3", "EUR", 1230),
            ("12", "EUR", 1200),
            ("12.3400", "EUR", 1234),
            ("1500", "JPY", 1500),
            ("1500.00", "JPY", 1500),
            ("1.234", "KWD", 1234),
            ("1.2345", "CLF", 12345),
            ("1E+3", "EUR", 100000),
            ("0.01", "EUR", 1),
            ("99999999999.99", "EUR", MAX_MINOR_UNITS),
            ("9999999999999", "JPY", MAX_MINOR_UNITS),
        ],
    )
    def test_an_exact_amount_is_counted_in_its_smallest_unit(
        self, amount: str, currency: str, expected: int
    ) -> None:
        assert to_minor_units(Decimal(amount), currency) == expected

    def test_an_integer_is_an_amount_in_major_units(self) -> None:
        assert to_minor_units(12, "EUR") == 1200

    @pytest.mark.parametrize(
        "noisy, currency, expected",
        [
            ("0.30000000000000004", "EUR", 30),
            ("0.29999999999999998", "EUR", 30),
            ("1.1000000000000001", "KWD", 1100),
            ("409.28999999999996", "USD", 40929),
            ("1499.9999999999998", "JPY", 1500),
            ("0.00999999999999", "EUR", 1),
            ("99999999999.990000000001", "EUR", MAX_MINOR_UNITS),
        ],
    )
    def test_the_noise_of_a_binary_float_is_no_fraction_of_a_cent(
        self, noisy: str, currency: str, expected: int
    ) -> None:
        assert to_minor_units(Decimal(noisy), currency) == expected

    @pytest.mark.parametrize(
        "amount, payable",
        [
            ("12.34000001", True),
            ("12.340000011", False),
            ("12.34000001" + 25 * "0" + "1", False),
            ("12.33999999", True),
            ("12.339999989", False),
        ],
    )
    def test_noise_ends_at_a_millionth_of_the_minor_unit(self, amount: str, payable: bool) -> None:
        if payable:
            assert to_minor_units(Decimal(amount), "EUR") == 1234
        else:
            with pytest.raises(UnpayableAmount):
                to_minor_units(Decimal(amount), "EUR")

    @pytest.mark.parametrize(
        "amount, currency",
        [
            ("12.345", "EUR"),
            ("12.3449", "EUR"),
            ("0.5", "JPY"),
            ("1.2345", "KWD"),
            ("0.001", "EUR"),
            ("0.0000000000001", "EUR"),
            ("1E-999999", "EUR"),
            ("1E-2000000", "EUR"),
        ],
    )
    def test_what_is_too_precise_is_refused_and_never_rounded(self, amount: str, currency: str) -> None:
        with pytest.raises(UnpayableAmount):
            to_minor_units(Decimal(amount), currency)

    @pytest.mark.parametrize(
        "amount",
        ["0", "-0", "0.00", "-1", "-0.01", "NaN", "-NaN", "sNaN", "Infinity", "-Infinity", "0E+999999"],
    )
    def test_what_is_not_a_positive_number_is_refused(self, amount: str) -> None:
        with pytest.raises(UnpayableAmount):
            to_minor_units(Decimal(amount), "EUR")

    @pytest.mark.parametrize(
        "amount",
        [Decimal("100000000000"), Decimal("99999999999.999"), 10**13, 10**4000, Decimal("1E+2000000")],
    )
    def test_what_is_too_large_is_refused(self, amount: object) -> None:
        with pytest.raises(UnpayableAmount):
            to_minor_units(amount, "EUR")

    @pytest.mark.parametrize("amount", ["12.34", 12.34, True, None, b"12", [12], {"amount": 12}])
    def test_what_is_no_exact_number_is_refused(self, amount: object) -> None:
        with pytest.raises(UnpayableAmount):
            to_minor_units(amount, "EUR")

    @pytest.mark.parametrize(
        "amount, expected",
        [("99999999999.99", MAX_MINOR_UNITS), ("0.29999999999999998", 30)],
    )
    def test_a_site_that_computes_with_few_digits_and_rounds_down_reads_the_same_amounts(
        self, amount: str, expected: int
    ) -> None:
        with localcontext(prec=1, rounding=ROUND_DOWN):
            assert to_minor_units(Decimal(amount), "EUR") == expected

    def test_a_site_that_computes_with_few_digits_lets_no_more_noise_through(self) -> None:
        with localcontext(prec=1, rounding=ROUND_DOWN), pytest.raises(UnpayableAmount):
            to_minor_units(Decimal("12.340000014"), "EUR")

    def test_an_unknown_currency_is_refused(self) -> None:
        with pytest.raises(UnpayableAmount):
            to_minor_units(12, "XXX")

    def test_the_reason_holds_nothing_of_the_input(self) -> None:
        with pytest.raises(UnpayableAmount) as refused:
            to_minor_units(Decimal("12.345678"), "EUR")
        assert "345678" not in str(refused.value)


class TestAmountOf:
    @pytest.mark.parametrize(
        "units, currency, expected",
        [
            (1230, "EUR", "12.30"),
            (1500, "JPY", "1500"),
            (1200, "KWD", "1.200"),
            (1, "CLF", "0.0001"),
            (0, "EUR", "0.00"),
        ],
    )
    def test_an_amount_has_exactly_the_decimals_of_its_currency(
        self, units: int, currency: str, expected: str
    ) -> None:
        assert str(to_amount(units, currency)) == expected

    def test_a_site_that_computes_with_few_digits_gets_the_whole_amount(self) -> None:
        with localcontext(prec=1, rounding=ROUND_DOWN):
            assert str(to_amount(MAX_MINOR_UNITS, "EUR")) == "99999999999.99"

    @given(st.integers(1, MAX_MINOR_UNITS), st.sampled_from(sorted(DECIMALS)))
    def test_minor_units_survive_the_way_there_and_back(self, units: int, currency: str) -> None:
        assert to_minor_units(to_amount(units, currency), currency) == units

    @given(st.integers(1, 10**11), st.sampled_from(["JPY", "EUR", "KWD"]))
    def test_minor_units_survive_a_binary_float(self, units: int, currency: str) -> None:
        text = json.dumps({"amount": float(to_amount(units, currency))})
        assert to_minor_units(read_json(text.encode())["amount"], currency) == units

    @given(st.integers(1, 10**6), st.integers(1, 10**6))
    def test_minor_units_survive_a_sum_of_binary_floats(self, first: int, second: int) -> None:
        total = float(to_amount(first, "EUR")) + float(to_amount(second, "EUR"))
        assert to_minor_units(Decimal(repr(total)), "EUR") == first + second

    @given(st.decimals(allow_nan=True, allow_infinity=True) | st.integers())
    def test_an_amount_is_either_exact_or_refused(self, amount: Decimal | int) -> None:
        try:
            units = to_minor_units(amount, "EUR")
        except UnpayableAmount:
            return
        assert 0 < units <= MAX_MINOR_UNITS
        assert abs(to_amount(units, "EUR") - amount) <= Decimal("0.00000001")
