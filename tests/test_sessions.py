"""``get_payment_session``: what is to be paid, or one exception that says what to do."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from snipcart_checkout.exceptions import (
    BadAnswer,
    SnipcartError,
    SnipcartUnavailable,
    TokenMalformed,
    TokenRefused,
    UnpayableOrder,
)
from snipcart_checkout.services import get_payment_session
from snipcart_checkout.testing import CheckoutSettings, StandIn

PAYLOADS = Path(__file__).parent / "payloads"
REFUSED = [400, 401, 403, 404, 405, 409, 410, 413, 418, 422, 451]
UNAVAILABLE = [408, 425, 429, 500, 501, 502, 503, 504, 599, "cut-before", "cut-body"]
NOT_UNDERSTOOD = ["redirect", "not-json", "wrong-json", "truncated-json", "huge", "gzip-bomb", 204, 304]


class TestTheStore:
    def test_may_be_left_out_when_there_is_one(self, snipcart: StandIn) -> None:
        session = snipcart.session()

        assert get_payment_session(session.public_token).id == session.id

    def test_may_be_named(self, snipcart: StandIn) -> None:
        session = snipcart.session()

        assert get_payment_session(session.public_token, store="live").id == session.id

    @pytest.mark.parametrize("names", [(), ("live", "test")])
    def test_has_to_be_named_when_there_is_not_exactly_one(
        self, snipcart: StandIn, checkout_settings: CheckoutSettings, names: tuple[str, ...]
    ) -> None:
        live = checkout_settings()["STORES"]["live"]
        checkout_settings.set("STORES", dict.fromkeys(names, live))

        with pytest.raises(ImproperlyConfigured):
            get_payment_session("token")
        assert snipcart.calls == []

    def test_has_to_exist(self, snipcart: StandIn) -> None:
        with pytest.raises(ImproperlyConfigured):
            get_payment_session("token", store="nowhere")

    def test_decides_which_way_back_is_its_own(
        self, snipcart: StandIn, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings.store("test", like="live", SHOP_HOSTS=["other.example"])
        session = snipcart.session(cart_url="https://other.example/#/cart")

        assert get_payment_session(session.public_token, store="test").return_url.startswith("https://other")
        with pytest.raises(TokenRefused):
            get_payment_session(session.public_token, store="live")


class TestTheSession:
    @pytest.mark.parametrize("name", sorted(path.stem for path in PAYLOADS.glob("session-*.json")))
    def test_is_read_in_every_shape_that_was_ever_seen(self, snipcart: StandIn, name: str) -> None:
        document = json.loads((PAYLOADS / f"{name}.json").read_text())
        (way_back,) = (value for key, value in document.items() if key.lower().endswith("redirecturl"))
        ordered = snipcart.session(document=document, cart_url=way_back)

        session = get_payment_session(ordered.public_token)

        assert session.id == document["id"]
        assert isinstance(session.invoice.amount, Decimal)
        assert session.invoice.currency == document["invoice"]["currency"].upper()
        assert session.return_url.startswith("https://")
        assert len(session.invoice.items) == len(document["invoice"]["items"])

    def test_has_what_the_documentation_promises(self, snipcart: StandIn) -> None:
        ordered = snipcart.session(amount="12.30", currency="eur", items=2, language="fr-CA", shipping=None)

        session = get_payment_session(ordered.public_token)

        invoice = session.invoice
        assert (session.id, invoice.amount, invoice.currency) == (ordered.id, Decimal("12.30"), "EUR")
        assert (invoice.language, invoice.email, len(invoice.items)) == ("fr-CA", "ada@example.org", 2)
        assert invoice.billing_address is not None
        assert invoice.billing_address.name == "Ada Byron"
        assert invoice.shipping_address is None

    @pytest.mark.parametrize(
        "amount, currency, expected",
        [
            (0.1 + 0.2, "EUR", "0.30"),
            (1e2, "JPY", "100"),
            (1.234, "KWD", "1.234"),
            (19.99, "usd", "19.99"),
            (99999999999.99, "EUR", "99999999999.99"),
        ],
    )
    def test_has_the_exact_amount(
        self, snipcart: StandIn, amount: float, currency: str, expected: str
    ) -> None:
        session = snipcart.session()
        session.document = {"invoice": {"amount": amount, "currency": currency}}

        assert str(get_payment_session(session.public_token).invoice.amount) == expected

    @pytest.mark.parametrize(
        "amount, currency",
        [
            (0, "EUR"),
            (-1, "EUR"),
            (1.005, "EUR"),
            (10.5, "JPY"),
            (1.2345, "KWD"),
            (1e15, "EUR"),
            (5, "XXX"),
            (5, "XTS"),
            (5, "XAU"),
            (5, "EURO"),
            (5, ""),
        ],
    )
    def test_is_refused_when_it_cannot_be_paid_exactly(
        self, snipcart: StandIn, amount: float, currency: str
    ) -> None:
        session = snipcart.session()
        session.document = {"invoice": {"amount": amount, "currency": currency}}

        with pytest.raises(UnpayableOrder):
            get_payment_session(session.public_token)

    @pytest.mark.parametrize("amount", ["5.00", True, None, [], {}, float("nan"), float("inf")])
    def test_is_not_understood_without_a_number_to_pay(self, snipcart: StandIn, amount: object) -> None:
        session = snipcart.session()
        session.document = {"invoice": {"amount": amount, "currency": "EUR"}}

        with pytest.raises(BadAnswer):
            get_payment_session(session.public_token)

    def test_costs_one_call(self, snipcart: StandIn) -> None:
        get_payment_session(snipcart.session().public_token)

        assert [call.endpoint for call in snipcart.calls] == ["payment-session"]

    def test_is_logged_when_its_lines_do_not_add_up(
        self, snipcart: StandIn, caplog: pytest.LogCaptureFixture
    ) -> None:
        session = snipcart.session(amount="10", items=2)
        snipcart.change(session, amount="11")

        with caplog.at_level(logging.INFO):
            get_payment_session(session.public_token)

        assert f"session {session.id}: the lines do not add up" in caplog.text


class TestTheWayBack:
    @pytest.mark.parametrize(
        "sent, returned",
        [
            (None, "https://shop.example"),
            ("", "https://shop.example"),
            ("#/checkout", "https://shop.example/#/checkout"),
            ("https://shop.example", "https://shop.example"),
            ("https://shop.example#/checkout", "https://shop.example#/checkout"),
            ("https://SHOP.example:443/a?b=c#d", "https://SHOP.example:443/a?b=c#d"),
            ("https://example.com/fr/", "https://example.com/fr/"),
        ],
    )
    def test_leads_to_the_shop(self, snipcart: StandIn, sent: str | None, returned: str) -> None:
        session = snipcart.session()
        session.document = {"paymentAuthorizationRedirectUrl": sent}

        assert get_payment_session(session.public_token).return_url == returned

    @pytest.mark.parametrize(
        "sent",
        [
            "http://shop.example/",
            "https://shop.example:8443/",
            "https://ada@shop.example/",
            "https://shop.example.evil.example/",
            "https://www.shop.example/",
            "https://evil.example/#https://shop.example/",
            "//shop.example/",
            "/checkout",
            "shop.example",
            "javascript:alert(1)",
            " https://shop.example/",
            "https://shop.example\\@evil.example/",
            "https://shop.example/" + "a" * 5000,
        ],
    )
    def test_that_leads_anywhere_else_means_another_shop(self, snipcart: StandIn, sent: str) -> None:
        session = snipcart.session(cart_url=sent)

        with pytest.raises(TokenRefused):
            get_payment_session(session.public_token)

    @pytest.mark.parametrize("sent", [7, True, {"href": "https://shop.example/"}, ["https://shop.example/"]])
    def test_that_is_no_text_means_another_shop(self, snipcart: StandIn, sent: object) -> None:
        session = snipcart.session()
        session.document = {"paymentAuthorizationRedirectUrl": sent}

        with pytest.raises(TokenRefused):
            get_payment_session(session.public_token)

    @pytest.mark.parametrize(
        "sent, described",
        [
            ("https://evil.example/#https://shop.example/", "'evil.example', which is not among SHOP_HOSTS"),
            ("https://ada@evil.example/?a/b", "'evil.example', which is not among SHOP_HOSTS"),
            ("http://evil.example/", "'evil.example', which is not among SHOP_HOSTS"),
            ("HTTP://shop.example/cart/2", "'shop.example' over http, and has to be https"),
            ("ftp://shop.example/", "'shop.example', which is not among SHOP_HOSTS"),
        ],
    )
    def test_that_leads_elsewhere_is_described_to_the_merchant_without_its_path(
        self, snipcart: StandIn, caplog: pytest.LogCaptureFixture, sent: str, described: str
    ) -> None:
        session = snipcart.session(cart_url=sent)
        expected = f"the session's way back leads to {described}"

        with pytest.raises(TokenRefused) as raised:
            get_payment_session(session.public_token)

        assert str(raised.value) == expected
        assert f"store live: {expected}" in caplog.messages

    def test_needs_a_shop_to_lead_to(self, snipcart: StandIn, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.store(SHOP_HOSTS=[])

        with pytest.raises(ImproperlyConfigured, match=r"'live'\] has no SHOP_HOSTS"):
            get_payment_session(snipcart.session().public_token)

    @pytest.mark.parametrize("debug", [True, False])
    def test_may_be_plain_http_on_this_machine_with_debug(
        self, snipcart: StandIn, settings: Any, checkout_settings: CheckoutSettings, debug: bool
    ) -> None:
        settings.DEBUG = debug
        checkout_settings.store(SHOP_HOSTS=["127.0.0.1:8000"])
        session = snipcart.session(cart_url="http://127.0.0.1:8000/#/cart")

        if debug:
            assert get_payment_session(session.public_token).return_url == "http://127.0.0.1:8000/#/cart"
        else:
            with pytest.raises(TokenRefused):
                get_payment_session(session.public_token)


class TestFailures:
    @pytest.mark.parametrize("token", ["", " ", "a b", "é", "a\n", "x" * 4097, None, 5, b"token", ["token"]])
    def test_a_token_that_cannot_be_one_is_never_sent(self, snipcart: StandIn, token: Any) -> None:
        with pytest.raises(TokenMalformed):
            get_payment_session(token)
        assert snipcart.calls == []

    @pytest.mark.parametrize(
        "fault, expected",
        [
            *((fault, TokenRefused) for fault in REFUSED),
            *((fault, SnipcartUnavailable) for fault in UNAVAILABLE),
            *((fault, BadAnswer) for fault in NOT_UNDERSTOOD),
        ],
    )
    def test_the_exception_says_whether_to_try_again(
        self, snipcart: StandIn, fault: str | int, expected: type[SnipcartError]
    ) -> None:
        session = snipcart.session()
        snipcart.fail("payment-session", fault)

        with pytest.raises(expected) as raised:
            get_payment_session(session.public_token)

        error = raised.value
        assert type(error) is expected
        assert error.__cause__ is None
        assert error.__context__ is None or error.__suppress_context__
        assert session.public_token not in str(error)
        # Nothing of it stays behind: the next call works.
        assert get_payment_session(session.public_token).id == session.id

    def test_an_expired_token_is_refused(self, snipcart: StandIn) -> None:
        session = snipcart.session()
        snipcart.expire(session)

        with pytest.raises(TokenRefused):
            get_payment_session(session.public_token)
