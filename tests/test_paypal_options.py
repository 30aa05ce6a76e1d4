"""What the PayPal backend says of its options and its credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import responses
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy

from snipcart_checkout.backends.paypal import PayPalBackend, tokens
from snipcart_checkout.backends.paypal.checks import OPTIONS as OPTION_NAMES
from snipcart_checkout.backends.paypal.notifications import EVENTS
from snipcart_checkout.backends.paypal.outcomes import CAPTURE_VALUES, ORDER_STATES
from snipcart_checkout.testing import CheckoutSettings
from tests.support.paypal_account import CLIENT_SECRET, SANDBOX, PayPalAccount
from tests.support.paypal_charges import OPTIONS, account, backend, charge

__all__ = ["account"]


@pytest.fixture
def two_stores(checkout_settings: CheckoutSettings) -> None:
    checkout_settings.store("trial", MODE="test")


class TestCheck:
    def ids(self, store: str = "live", **options: Any) -> list[str]:
        given = {**OPTIONS, **options}
        messages = PayPalBackend(store=store, method="wallet", options=given).check()
        printed = "".join(f"{message.msg}{message.hint}" for message in messages)
        values = [value for value in given.values() if isinstance(value, str) and len(value) > 7]
        assert not [value for value in values if value in printed]
        assert "{" not in printed
        return [(message.id or "").rpartition(".")[2] for message in messages]

    def test_good_options_pass(self) -> None:
        assert self.ids() == []
        assert self.ids(BRAND_NAME=gettext_lazy("The Paper Lantern"), ORDER_MINUTES=180) == []

    @pytest.mark.parametrize(
        "value", [None, "", "short", "your-client-id-goes-here", "x" * 80, "with spaces in between", 7]
    )
    def test_credentials_that_are_none_are_an_error(self, value: Any) -> None:
        assert self.ids(CLIENT_ID=value) == ["E231"]
        assert self.ids(CLIENT_SECRET=value) == ["E232"]

    @pytest.mark.parametrize("webhook_id", [None, ""])
    def test_a_missing_webhook_id_is_a_warning(self, webhook_id: Any) -> None:
        assert self.ids(WEBHOOK_ID=webhook_id) == ["W231"]

    @pytest.mark.parametrize(
        "webhook_id", ["YOURWEBHOOKID0000", "https://pay.shop.example/", 7, ["A"], "A" * 51]
    )
    def test_a_webhook_id_that_is_none_is_an_error(self, webhook_id: Any) -> None:
        assert self.ids(WEBHOOK_ID=webhook_id) == ["E233"]

    @pytest.mark.parametrize("minutes", [0, 4, 181, "30", 30.0, True, None])
    def test_minutes_that_are_none_are_an_error(self, minutes: Any) -> None:
        assert self.ids(ORDER_MINUTES=minutes) == ["E234"]

    @pytest.mark.parametrize("name", [7, ["Shop"], "n" * 128])
    def test_a_name_that_is_no_text_is_a_warning(self, name: Any) -> None:
        assert self.ids(BRAND_NAME=name) == ["W232"]

    @pytest.mark.parametrize("url", ["https://api.example", "http://127.0.0.1:8100/", "localhost:80", "", 7])
    def test_a_url_of_anything_but_a_stand_in_is_an_error(self, url: Any) -> None:
        assert self.ids(API_URL=url) == ["E235"]

    @pytest.mark.usefixtures("two_stores")
    def test_a_stand_in_is_for_test_stores(self) -> None:
        assert self.ids("live", API_URL="http://127.0.0.1:8100") == ["W233"]
        assert self.ids("trial", API_URL="http://127.0.0.1:8100") == []

    def test_an_unknown_option_is_a_warning(self) -> None:
        assert self.ids(CLIENT_KEY="A21AAFEpH4PsADK7qSS7pSRsgzfENtu") == ["W211"]


class TestApiUrl:
    def test_a_stand_in_is_called_and_led_to(self) -> None:
        tokens.drop_all_tokens()
        stand_in = "http://127.0.0.1:8100"
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            account = PayPalAccount(mock, api=stand_in)
            made = backend(API_URL=stand_in)
            made.charge(charge())
        assert made.redirect_origins == (stand_in,)
        assert len(account.orders) == 1

    def test_any_other_address_is_never_called(self, account: PayPalAccount) -> None:
        backend(API_URL="https://collect.example").charge(charge())
        assert len(account.orders) == 1


class TestPing:
    def test_credentials_that_work_raise_nothing(self, account: PayPalAccount) -> None:
        backend().ping()
        assert [path for _method, path, _body in account.requests] == ["/v1/oauth2/token"]

    def test_a_kept_token_proves_nothing(self, account: PayPalAccount) -> None:
        backend().charge(charge())
        before = len(account.requests)
        backend().ping()
        assert len(account.requests) == before + 1

    def test_credentials_that_paypal_refuses_are_said_without_them(self, account: PayPalAccount) -> None:
        with pytest.raises(ImproperlyConfigured, match="invalid_client") as raised:
            backend(CLIENT_SECRET=CLIENT_SECRET[::-1]).ping()
        assert CLIENT_SECRET[::-1] not in str(raised.value)

    @pytest.mark.usefixtures("two_stores")
    def test_a_test_store_asks_the_sandbox(self) -> None:
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            account = PayPalAccount(mock, api=SANDBOX)
            backend("trial").ping()
        assert len(account.requests) == 1


def test_the_page_about_paypal_names_every_option_and_event() -> None:
    page = (Path(__file__).parent.parent / "docs" / "paypal.md").read_text()
    assert not [name for name in (*OPTION_NAMES, *EVENTS) if name not in page]
    assert not [state for state in (*ORDER_STATES, *CAPTURE_VALUES) if f"`{state}`" not in page]
