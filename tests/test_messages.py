"""What Snipcart sends is read whatever its spelling; what cannot be understood is one known exception."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snipcart_checkout.exceptions import BadAnswer, TokenMalformed, UnpayableOrder
from snipcart_checkout.snipcart import (
    Address,
    ConfirmationAnswer,
    ConfirmationMessage,
    Invoice,
    Item,
    MethodsRequest,
    OfferedMethod,
    PaymentSession,
    RefundCall,
    check_public_token,
    clean_text,
    read_json,
)

PAYLOADS = Path(__file__).parent / "payloads"
INVOICE: dict[str, Any] = {"amount": 12.5, "currency": "eur"}
SESSION: dict[str, Any] = {"id": "Qk3fZzA1-0f6a1a52", "invoice": INVOICE}

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "id ID invoice amount currency items name type quantity unitPrice billingAddress country language "
                "email targetId paymentAuthorizationRedirectUrl mode publicToken PublicToken returnUrl".split()
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


def payload(name: str) -> Any:
    return read_json((PAYLOADS / f"{name}.json").read_bytes())


def session(**changes: Any) -> PaymentSession:
    return PaymentSession.from_json(written({**SESSION, **changes}))


def invoice(**changes: Any) -> Invoice:
    return Invoice.from_json(written({**INVOICE, **changes}))


def item(**changes: Any) -> Item:
    return Item.from_json(written({"name": "Mug", **changes}))


def written(value: object) -> Any:
    """The value after a journey through JSON, as it would arrive."""
    return read_json(json.dumps(value).encode())


class TestPayloads:
    def test_the_documented_session_is_read_whole(self) -> None:
        read = PaymentSession.from_json(payload("session-documented"))
        home = Address(
            name="John Doe", street="123 Street", postal_code="12345", city="Cuppertino", country="US"
        )
        assert read.id == "b2eb036a-842ee242-0d2d-4fad-bc9a-de16411fc6d1"
        assert read.return_url == "https://example.com#/checkout"
        assert (read.invoice.amount, read.invoice.currency) == (Decimal("409.29"), "USD")
        assert read.invoice.minor_units == 40929
        assert (read.invoice.email, read.invoice.language) == ("john.doe@example.com", "en")
        assert read.invoice.cart_id == "226086da-57be-4b92-b950-5fd632be7767"
        assert read.invoice.billing_address == read.invoice.shipping_address == home
        assert [line.kind for line in read.invoice.items] == ["goods", "goods", "tax", "shipping"]

    def test_lines_that_do_not_add_up_leave_the_amount_alone(self) -> None:
        read = PaymentSession.from_json(payload("session-documented")).invoice
        lines = sum((line.amount or Decimal() for line in read.items), Decimal())
        assert (lines, read.amount) == (Decimal("309.29"), Decimal("409.29"))

    def test_a_session_with_the_link_in_capitals_is_read(self) -> None:
        read = PaymentSession.from_json(payload("session-capital-redirect"))
        assert read.return_url == "https://shop.example/#/cart"
        assert read.id == "Qk3fZzA1-0f6a1a52-5d5e-4c1b-9d1e-6a0e5b6c7d80"
        assert (read.invoice.currency, read.invoice.minor_units, str(read.invoice.amount)) == (
            "JPY",
            1500,
            "1500",
        )
        assert read.invoice.shipping_address is None
        assert read.invoice.billing_address is not None
        assert read.invoice.billing_address.name == "Walter"
        assert read.invoice.items[0].name == "本"

    def test_a_session_with_every_field_ever_seen_is_read(self) -> None:
        read = PaymentSession.from_json(payload("session-every-field-seen"))
        assert read.payment_method == "acme_card"
        assert read.invoice.language == "fr-CA"
        assert read.invoice.shipping_address is None
        assert read.invoice.billing_address is not None
        assert read.invoice.billing_address.name == "Ada Byron"
        assert [line.kind for line in read.invoice.items] == ["goods", "goods", "discount", "shipping", "tax"]
        assert read.invoice.items[0].discount_amount == 4
        assert read.invoice.items[2].amount == -4

    @pytest.mark.parametrize(
        "name, is_test, tokens",
        [
            ("methods-webhook-documented", False, ()),
            ("methods-webhook-body-token", True, ("<JWT>",)),
            ("methods-webhook-capital-token", False, ("<JWT>",)),
        ],
    )
    def test_the_methods_webhook_is_read_in_each_of_its_spellings(
        self, name: str, is_test: bool, tokens: tuple[str, ...]
    ) -> None:
        read = MethodsRequest.from_json(payload(name))
        assert (read.is_test, read.tokens) == (is_test, tokens)
        assert read.invoice is not None
        assert (read.invoice.amount, read.invoice.currency) == (Decimal("169.90"), "CAD")
        assert read.invoice.billing_address is not None
        assert read.invoice.billing_address.name == "Walter C Chapdelaine"

    def test_the_documented_refund_is_read(self) -> None:
        read = RefundCall.from_body((PAYLOADS / "refund-documented.json").read_bytes())
        assert (read.amount, read.tokens) == (Decimal("20.75"), ())

    def test_the_answer_to_a_confirmation_is_read(self) -> None:
        body = (PAYLOADS / "confirm-answer.json").read_bytes()
        assert ConfirmationAnswer.from_body(body).return_url == "https://shop.example/#/order/226086da"

    def test_a_processed_confirmation_is_written_as_documented(self) -> None:
        expected = json.loads((PAYLOADS / "confirm-processed.json").read_text())
        confirmation = ConfirmationMessage(
            session_id=expected["paymentSessionId"],
            outcome="processed",
            transaction_id="tr_1",
            instructions=expected["instructions"],
            refund_url=expected["links"]["refunds"],
        )
        assert json.loads(confirmation.to_body()) == expected

    def test_a_failed_confirmation_is_written_as_documented_with_a_transaction_id(self) -> None:
        expected = json.loads((PAYLOADS / "confirm-failed-documented.json").read_text())
        confirmation = ConfirmationMessage(
            session_id=expected["paymentSessionId"],
            outcome="failed",
            transaction_id="our-reference",
            error_code="card_declined",
            error_message="Your card was declined",
        )
        assert json.loads(confirmation.to_body()) == {**expected, "transactionId": "our-reference"}


class TestSession:
    @pytest.mark.parametrize("name", ["id", "ID", "Id"])
    def test_keys_are_read_in_any_casing(self, name: str) -> None:
        read = PaymentSession.from_json({name: "s1", "INVOICE": {"Amount": 5, "CURRENCY": "Eur"}})
        assert (read.id, read.invoice.minor_units, read.invoice.currency) == ("s1", 500, "EUR")

    def test_only_id_amount_and_currency_are_needed(self) -> None:
        read = session()
        assert (read.return_url, read.payment_method) == ("", "")
        assert (read.invoice.items, read.invoice.billing_address, read.invoice.language) == ((), None, "")

    def test_a_key_twice_with_one_value_is_one(self) -> None:
        assert session(ID=SESSION["id"]).id == SESSION["id"]

    def test_a_key_twice_with_two_values_is_refused(self) -> None:
        with pytest.raises(BadAnswer):
            session(ID="another")

    @pytest.mark.parametrize(
        "identifier",
        ["xYzg4NjE-df1c2478-8f0c-4f2e", "b2eb036a-842ee242-0d2d-4fad-bc9a-de16411fc6d1", "x" * 255, "é/?"],
    )
    def test_an_id_is_opaque_and_keeps_its_case(self, identifier: str) -> None:
        assert session(id=identifier).id == identifier

    @pytest.mark.parametrize(
        "identifier", ["", None, 5, ["x"], "x" * 256, "a\x00b", " x", "a\nb", "\ud800", "a\u202eb"]
    )
    def test_what_cannot_be_an_id_is_refused(self, identifier: object) -> None:
        with pytest.raises(BadAnswer):
            session(id=identifier)

    @pytest.mark.parametrize("body", [None, [], "x", 5, {}, {"id": "x"}, {"id": "x", "invoice": []}])
    def test_what_is_no_session_is_refused(self, body: object) -> None:
        with pytest.raises(BadAnswer):
            PaymentSession.from_json(body)

    def test_the_way_back_is_left_as_it_came(self) -> None:
        assert session(paymentAuthorizationRedirectUrl=" #/cart\x00").return_url == " #/cart\x00"

    def test_a_way_back_that_is_too_long_is_cut_where_it_is_still_too_long(self) -> None:
        for length, kept in ((4096, 4096), (4097, 4097), (5000, 4097)):
            assert len(session(paymentAuthorizationRedirectUrl="x" * length).return_url) == kept

    def test_no_way_back_is_an_empty_one(self) -> None:
        assert session(paymentAuthorizationRedirectUrl=None).return_url == ""

    @given(JSON_VALUES)
    def test_any_json_is_a_session_or_a_bad_answer(self, value: Any) -> None:
        try:
            read = PaymentSession.from_json(read_json(json.dumps({**SESSION, "x": value}).encode()))
            assert read.invoice.minor_units == 1250
            PaymentSession.from_json(read_json(json.dumps(value).encode()))
        except BadAnswer:
            pass


class TestInvoice:
    @pytest.mark.parametrize("currency", ["usd", "USD", "Usd"])
    def test_a_currency_is_read_in_any_case(self, currency: str) -> None:
        assert invoice(currency=currency).currency == "USD"

    @pytest.mark.parametrize(
        "text, currency, units",
        [
            ("0.30000000000000004", "eur", 30),
            ("1500", "jpy", 1500),
            ("1.234", "KWD", 1234),
            ("1e2", "EUR", 10000),
        ],
    )
    def test_the_amount_is_read_from_its_digits(self, text: str, currency: str, units: int) -> None:
        read = Invoice.from_json(read_json(f'{{"amount": {text}, "currency": "{currency}"}}'.encode()))
        assert read.minor_units == units

    @pytest.mark.parametrize(
        "changes",
        [
            {"amount": 0},
            {"amount": -1},
            {"amount": 12.345},
            {"amount": 10**30},
            {"amount": 0.5, "currency": "jpy"},
            {"currency": "xxx"},
            {"currency": ""},
            {"currency": "€"},
        ],
        ids=repr,
    )
    def test_what_cannot_be_paid_exactly_is_an_unpayable_order(self, changes: dict[str, Any]) -> None:
        with pytest.raises(UnpayableOrder):
            invoice(**changes)

    def test_an_order_has_two_thousand_lines_at_most(self) -> None:
        assert len(invoice(items=[{}] * 2000).items) == 2000

    @pytest.mark.parametrize(
        "changes",
        [
            {"amount": "12.50"},
            {"amount": None},
            {"amount": True},
            {"amount": [12]},
            {"currency": None},
            {"currency": 978},
            {"items": [{}] * 2001},
        ],
        ids=lambda changes: repr(changes)[:40],
    )
    def test_a_field_of_the_wrong_type_is_refused(self, changes: dict[str, Any]) -> None:
        with pytest.raises(BadAnswer) as refused:
            invoice(**changes)
        assert not isinstance(refused.value, UnpayableOrder)

    @pytest.mark.parametrize(
        "field, sent, shown",
        [
            ("items", {}, ()),
            ("items", ["Mug"], ()),
            ("items", [None], ()),
            ("billing_address", "Paris", None),
            ("email", 5, "5"),
            ("email", 10**16, ""),
            ("email", [], ""),
            ("language", ["fr"], ""),
            ("language", True, ""),
            ("cart_id", 1234, "1234"),
        ],
    )
    def test_a_field_that_is_only_shown_stops_no_order_whatever_its_type(
        self, field: str, sent: object, shown: object
    ) -> None:
        names = {"billing_address": "billingAddress", "cart_id": "targetId"}
        assert getattr(invoice(**{names.get(field, field): sent}), field) == shown

    @pytest.mark.parametrize("plan", [{"id": "monthly"}, "monthly"])
    def test_an_order_with_a_plan_says_so(self, plan: object) -> None:
        assert invoice(plan=plan).has_plan
        assert invoice(items=[{"name": "Tea", "hasSelectedPlan": True}]).items[0].has_plan
        assert invoice(items=[{"name": "Tea", "hasSelectedPlan": True}]).has_plan
        assert not invoice(plan=None, items=[{"name": "Tea", "hasSelectedPlan": False}]).has_plan

    def test_taxes_that_the_prices_hold_already_are_not_counted_twice(self) -> None:
        lines = [{"name": "Tea", "amount": 12}, {"name": "VAT", "type": "Tax", "amount": 2}]
        assert invoice(amount=12, items=lines).taxes_included
        assert invoice(amount=12, items=lines).adds_up
        assert not invoice(amount=14, items=lines).taxes_included
        assert invoice(amount=14, items=lines).adds_up
        assert not invoice(amount=13, items=lines).taxes_included
        assert not invoice(amount=13, items=lines).adds_up

    @pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity"])
    def test_an_amount_that_is_no_number_is_refused(self, amount: str) -> None:
        with pytest.raises(BadAnswer):
            read_json(f'{{"amount": {amount}, "currency": "eur"}}'.encode())

    def test_the_reason_of_a_refusal_holds_nothing_of_the_order(self) -> None:
        with pytest.raises(UnpayableOrder) as refused:
            invoice(amount=12.34567, email="ada@example.org")
        assert refused.value.__cause__ is None
        assert "34567" not in str(refused.value)

    @pytest.mark.parametrize(
        "addresses, country",
        [
            ({}, ""),
            ({"billingAddress": {"country": "fr"}}, "FR"),
            ({"shippingAddress": {"country": "BE"}}, "BE"),
            ({"billingAddress": {"country": "FR"}, "shippingAddress": {"country": "BE"}}, "FR"),
            ({"billingAddress": {"country": None}, "shippingAddress": {"country": "BE"}}, "BE"),
        ],
    )
    def test_the_country_is_the_payers_else_the_receivers(
        self, addresses: dict[str, Any], country: str
    ) -> None:
        assert invoice(**addresses).country == country


class TestAddress:
    @pytest.mark.parametrize(
        "name, surname, expected",
        [
            ("Ada", "Byron", "Ada Byron"),
            ("Ada Byron", "Byron", "Ada Byron"),
            ("Ada Byron", None, "Ada Byron"),
            ("Ada Byron", "", "Ada Byron"),
            ("Byron", "Byron", "Byron"),
            (None, "Byron", "Byron"),
            ("", "", ""),
            ("Ada", "yron", "Ada yron"),
            ("太郎", "山田", "山田太郎"),
            ("山田太郎", "山田", "山田太郎"),
            ("David", "李", "David 李"),
            (None, "山田", "山田"),
            ("山田太郎", None, "山田太郎"),
            ("山田太郎", "", "山田太郎"),
        ],
    )
    def test_the_name_is_whole_whether_snipcart_splits_it_or_not(
        self, name: str | None, surname: str | None, expected: str
    ) -> None:
        address = Address.from_json({"name": name, "surname": surname})
        assert address is not None
        assert address.name == expected

    def test_a_missing_address_is_none_and_an_empty_one_is_empty(self) -> None:
        assert Address.from_json(None) is None
        assert Address.from_json({}) == Address()


class TestItem:
    @pytest.mark.parametrize(
        "type_, kind",
        [
            ("Physical", "goods"),
            ("Digital", "goods"),
            ("Item", "goods"),
            ("Subscription", "goods"),
            ("", "goods"),
            (None, "goods"),
            ("Tax", "tax"),
            ("TAX", "tax"),
            ("Shipping", "shipping"),
            ("discount", "discount"),
        ],
    )
    def test_an_unknown_type_counts_as_goods(self, type_: str | None, kind: str) -> None:
        assert item(type=type_).kind == kind

    def test_a_line_may_lack_everything(self) -> None:
        assert Item.from_json({}) == Item(name="", type="", quantity=None, unit_price=None, amount=None)

    def test_a_line_may_be_negative_or_finer_than_the_currency(self) -> None:
        line = item(amount=-4, unitPrice=0.3333, quantity=1.5)
        assert (line.amount, line.unit_price) == (Decimal(-4), Decimal("0.3333"))
        assert line.quantity == Decimal("1.5")

    @pytest.mark.parametrize(
        "number",
        ["1e16", "-1e16", "1e999", "1e2000000", "9" * 400, '"9e9"', '"twenty"', '"NaN"', "true", "[]"],
    )
    def test_a_number_that_is_none_or_absurd_is_absent(self, number: str) -> None:
        assert Item.from_json(read_json(f'{{"unitPrice": {number}}}'.encode())).unit_price is None

    @pytest.mark.parametrize("number", ["5", "20", "-4.50", " 20.0 "])
    def test_a_number_as_text_is_read(self, number: str) -> None:
        line = Item.from_json(read_json(f'{{"unitPrice": "{number}"}}'.encode()))
        assert line.unit_price == Decimal(number.strip())

    def test_a_number_as_text_has_forty_characters_at_most(self) -> None:
        assert item(unitPrice="20".rjust(40)).unit_price == 20
        assert item(unitPrice="20".rjust(41)).unit_price is None

    @pytest.mark.parametrize(
        "number, kept",
        [
            ("0.123456789", "0.123456789"),
            ("0.1234567891", "0.123456789"),
            ("-1.2345678912", "-1.234567891"),
            ("1.12345678951", "1.123456790"),
            ("1e15", "1000000000000000"),
            ("9.5e15", "9500000000000000"),
        ],
    )
    def test_a_number_keeps_nine_decimals(self, number: str, kept: str) -> None:
        assert Item.from_json(read_json(f'{{"unitPrice": {number}}}'.encode())).unit_price == Decimal(kept)

    @pytest.mark.parametrize(
        "number", ["1e-999", "-1e-2000000", "5.551115123125783e-17", "0e-999999", "0." + "0" * 9999 + "1"]
    )
    def test_a_number_next_to_nothing_is_nothing_and_takes_no_room(self, number: str) -> None:
        price = Item.from_json(read_json(f'{{"unitPrice": {number}}}'.encode())).unit_price
        assert price == 0
        assert len(format(price, "f")) < 20

    def test_a_number_keeps_no_more_digits_than_anybody_needs(self) -> None:
        price = Item.from_json(read_json(b'{"unitPrice": 33.' + b"3" * 4000 + b"}")).unit_price
        assert price is not None
        assert Decimal("33.333333") < price < Decimal("33.333334")
        assert len(format(price, "f")) < 20


class TestMethodsRequest:
    @pytest.mark.parametrize(
        "mode, is_test",
        [
            ("test", True),
            ("Test", True),
            ("TEST", True),
            ("live", False),
            ("Live", False),
            ("", False),
            (None, False),
        ],
    )
    def test_the_mode_is_read_in_any_case(self, mode: str | None, is_test: bool) -> None:
        assert MethodsRequest.from_json(written({"mode": mode, "invoice": INVOICE})).is_test is is_test

    @pytest.mark.parametrize("mode", ["testing", "sandbox", " test", True, ["test"]])
    def test_an_unknown_mode_is_never_a_test(self, mode: object) -> None:
        assert not MethodsRequest.from_json(written({"mode": mode, "invoice": INVOICE})).is_test

    def test_all_tokens_are_found_so_that_two_can_be_told_apart(self) -> None:
        body = {"publicToken": "a", "PublicToken": "b", "invoice": INVOICE}
        assert MethodsRequest.from_json(written(body)).tokens == ("a", "b")

    def test_a_token_of_null_is_no_token(self) -> None:
        assert MethodsRequest.from_json(written({"publicToken": None, "invoice": INVOICE})).tokens == ()

    def test_an_order_that_cannot_be_paid_is_no_order(self) -> None:
        assert MethodsRequest.from_json(written({"invoice": {**INVOICE, "amount": 0}})).invoice is None

    @pytest.mark.parametrize(
        "body", [None, [], "x", {}, {"invoice": None}, {"invoice": {"amount": "1", "currency": "eur"}}]
    )
    def test_what_is_no_methods_request_is_refused(self, body: object) -> None:
        with pytest.raises(BadAnswer):
            MethodsRequest.from_json(written(body))


class TestRefundCall:
    def test_tokens_are_found_in_any_casing(self) -> None:
        assert RefundCall.from_body(b'{"Amount": 1, "PublicToken": "t"}').tokens == ("t",)

    def test_an_amount_is_left_to_be_judged(self) -> None:
        assert RefundCall.from_body(b'{"amount": "20.75"}').amount == "20.75"

    @pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[]", b"20.75", b'{"amount": 1', b"\xff"])
    def test_a_body_without_an_amount_has_none(self, body: bytes) -> None:
        assert RefundCall.from_body(body) == RefundCall(amount=None, tokens=())

    def test_two_amounts_are_none_and_hide_no_token(self) -> None:
        read = RefundCall.from_body(b'{"amount": 1, "Amount": 2, "publicToken": "t"}')
        assert read == RefundCall(amount=None, tokens=("t",))


class TestPublicToken:
    @pytest.mark.parametrize("token", ["a", "eyJhbGciOi.J9.-_~+/=", "x" * 4096])
    def test_a_token_is_returned_as_it_is(self, token: str) -> None:
        assert check_public_token([token]) == token

    def test_empty_values_and_equal_repeats_are_passed_over(self) -> None:
        assert check_public_token(["", "abc", "abc", ""]) == "abc"

    @pytest.mark.parametrize("values", [[], [""], ["abc", "abd"], ["abc", "ABC"], ["abc", 5], [{"a": 1}, []]])
    def test_no_token_and_two_different_ones_are_refused(self, values: list[object]) -> None:
        with pytest.raises(TokenMalformed):
            check_public_token(values)

    @pytest.mark.parametrize(
        "token",
        [
            " abc",
            "abc ",
            "abc\n",
            "a b",
            "a%20b",
            "<JWT>",
            "é",
            "ａ",
            "a\x00",
            "x" * 4097,
            5,
            True,
            None,
            ["abc"],
        ],
    )
    def test_what_snipcart_cannot_have_issued_is_refused(self, token: object) -> None:
        with pytest.raises(TokenMalformed):
            check_public_token([token])

    def test_the_reason_holds_nothing_of_the_token(self) -> None:
        with pytest.raises(TokenMalformed) as refused:
            check_public_token(["secret token"])
        assert "secret" not in str(refused.value)


class TestReadJson:
    def test_numbers_are_exact(self) -> None:
        assert read_json(b"[1, 0.1, 1e2]") == [1, Decimal("0.1"), Decimal("1E+2")]

    def test_thirty_two_levels_are_as_deep_as_it_may_be(self) -> None:
        assert read_json(b"[" * 32 + b"]" * 32)
        with pytest.raises(BadAnswer):
            read_json(b"[" * 33 + b"]" * 33)

    def test_a_byte_order_mark_is_no_obstacle(self) -> None:
        assert read_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"<html>",
            b"{} {}",
            b'{"a": NaN}',
            b"[Infinity]",
            b"[-Infinity]",
            b'{"a": 1, "a": 2}',
            b'{"a": {"b": 1, "b": 1}}',
            b"\xff\xfe{\x00}\x00",
            b'"\xc3"',
            b"'a'",
            b"[1,]",
            b"[" * 100000,
            b"[" * 40 + b"]" * 40,
            b'{"a":' * 40 + b"1" + b"}" * 40,
            b"9" * 5000,
            b"1e99999999999999999999",
        ],
        ids=lambda body: body[:20],
    )
    def test_what_two_parsers_may_read_in_two_ways_is_refused(self, body: bytes) -> None:
        with pytest.raises(BadAnswer):
            read_json(body)

    @given(
        st.binary(max_size=40)
        | st.text(alphabet='{}[]":,0123456789eE+-.ntf \\u', max_size=40).map(str.encode)
    )
    def test_any_bytes_are_json_or_a_bad_answer(self, body: bytes) -> None:
        with contextlib.suppress(BadAnswer):
            read_json(body)


class TestCleanText:
    @pytest.mark.parametrize(
        "text, expected",
        [
            ("Mug", "Mug"),
            ("  Mug\r\n", "Mug"),
            ("a\x00b", "a b"),
            ("a\x1b[31mb", "a [31mb"),
            ("a\u202eb", "a b"),
            ("a\ud800b", "a b"),
            ("a\u2028b", "a b"),
            ("كوب 🍵", "كوب 🍵"),
        ],
    )
    def test_nothing_that_disturbs_a_page_a_log_or_a_database_is_left(self, text: str, expected: str) -> None:
        assert clean_text(text) == expected

    def test_a_text_has_five_hundred_characters_at_most(self) -> None:
        assert clean_text("x" * 500) == "x" * 500
        assert clean_text("x" * 501) == "x" * 499 + "…"

    def test_a_long_text_ends_in_an_ellipsis(self) -> None:
        assert clean_text("x" * 11, 10) == "x" * 9 + "…"
        assert clean_text("x" * 10, 10) == "x" * 10

    @given(st.text(), st.integers(1, 50))
    def test_any_text_becomes_one_short_line_that_can_be_stored(self, text: str, limit: int) -> None:
        cleaned = clean_text(text, limit)
        assert len(cleaned) <= limit
        assert len(cleaned.splitlines()) <= 1
        assert "\x00" not in cleaned.encode().decode()


class TestConfirmation:
    def test_the_same_outcome_is_the_same_text(self) -> None:
        texts = {
            ConfirmationMessage(
                session_id="s", outcome="processed", transaction_id="t", instructions="é\n“”"
            ).to_body()
            for _ in range(2)
        }
        assert texts == {
            '{"paymentSessionId":"s","state":"processed","transactionId":"t","instructions":"\\u00e9\\n\\u201c\\u201d"}'
        }

    def test_what_there_is_not_to_say_is_left_out(self) -> None:
        body = json.loads(
            ConfirmationMessage(session_id="s", outcome="processing", transaction_id="t").to_body()
        )
        assert body == {"paymentSessionId": "s", "state": "processing", "transactionId": "t"}

    def test_an_error_has_a_code_and_only_then_a_message(self) -> None:
        failed = {"session_id": "s", "outcome": "failed", "transaction_id": "t"}
        assert json.loads(ConfirmationMessage(**failed, error_code="c").to_body())["error"] == {"code": "c"}
        assert "error" not in json.loads(ConfirmationMessage(**failed, error_message="m").to_body())

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>",
            b"[]",
            b"{}",
            b'{"returnUrl": null}',
            b'{"returnUrl": 5}',
            b"\xff",
            b'{"a":1,"a":2}',
        ],
    )
    def test_a_confirmation_is_recorded_whatever_the_answer_says(self, body: bytes) -> None:
        assert ConfirmationAnswer.from_body(body) == ConfirmationAnswer(return_url="")

    def test_the_way_on_is_read_in_any_casing(self) -> None:
        assert (
            ConfirmationAnswer.from_body(b'{"ReturnURL": "https://a.example"}').return_url
            == "https://a.example"
        )


class TestOfferedMethod:
    def test_a_method_is_written_as_snipcart_reads_it(self) -> None:
        method = OfferedMethod(id="acme", name="Carte", checkout_url="https://a/", icon_url="https://a/i.svg")
        assert method.to_json() == {
            "id": "acme",
            "name": "Carte",
            "checkoutUrl": "https://a/",
            "iconUrl": "https://a/i.svg",
        }

    def test_a_method_without_an_icon_has_no_icon_url(self) -> None:
        assert "iconUrl" not in OfferedMethod(id="acme", name="Carte", checkout_url="https://a/").to_json()
