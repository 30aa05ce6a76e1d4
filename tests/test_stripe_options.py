"""What the Stripe backend says of its options, and what it does without its package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.exceptions import ImproperlyConfigured

from snipcart_checkout.backends.stripe import StripeBackend
from snipcart_checkout.testing import CheckoutSettings
from tests.support.stripe_account import LIVE_KEY, SIGNING_SECRET, TEST_KEY, StripeAccount
from tests.support.stripe_charges import backend


class TestCheck:
    def ids(self, store: str = "live", **options: Any) -> list[str]:
        usual = {"SECRET_KEY": LIVE_KEY, "WEBHOOK_SECRETS": [SIGNING_SECRET]}
        built = StripeBackend(store=store, method="card", options={**usual, **options})
        messages = built.check()
        printed = "".join(f"{message.msg}{message.hint}" for message in messages)
        values = [
            str(value) for value in {**usual, **options}.values() if isinstance(value, str) and len(value) > 7
        ]
        assert not [value for value in values if value in printed]
        return [(message.id or "").rpartition(".")[2] for message in messages]

    def test_good_options_pass(self) -> None:
        assert self.ids() == []
        assert (
            self.ids(PRODUCT_NAME="Order", SESSION_MINUTES=30, CHECKOUT_ORIGINS=["https://pay.shop.example"])
            == []
        )

    @pytest.mark.parametrize(
        "key", [None, "", "pk_live_51AbCdEfGhIjKl", "sk_live_...", "your-secret-key", "whsec_9f8e7d6c5b4a", 7]
    )
    def test_a_key_that_is_not_secret_or_restricted_is_an_error(self, key: Any) -> None:
        assert self.ids(SECRET_KEY=key) == ["E221"]

    @pytest.mark.parametrize("store, key", [("live", TEST_KEY), ("trial", LIVE_KEY)])
    def test_a_key_of_the_other_half_is_an_error(
        self, checkout_settings: CheckoutSettings, store: str, key: str
    ) -> None:
        checkout_settings.store("trial", MODE="test")
        assert self.ids(store, SECRET_KEY=key) == ["E222"]

    @pytest.mark.parametrize("store, key", [("live", LIVE_KEY), ("trial", TEST_KEY)])
    def test_a_key_of_the_stores_own_half_is_none(
        self, checkout_settings: CheckoutSettings, store: str, key: str
    ) -> None:
        checkout_settings.store("trial", MODE="test")
        assert self.ids(store, SECRET_KEY=key) == []

    def test_an_empty_entry_among_signing_secrets_is_none(self) -> None:
        assert self.ids(WEBHOOK_SECRETS=["", SIGNING_SECRET]) == []

    @pytest.mark.parametrize("secrets", [None, [], "", [""], ["", " "]])
    def test_missing_signing_secrets_are_a_warning(self, secrets: Any) -> None:
        assert self.ids(WEBHOOK_SECRETS=secrets) == ["W221"]

    @pytest.mark.parametrize("secrets", [SIGNING_SECRET, ["secret"], [SIGNING_SECRET, LIVE_KEY], [None], 7])
    def test_signing_secrets_that_are_none_are_an_error(self, secrets: Any) -> None:
        assert self.ids(WEBHOOK_SECRETS=secrets) == ["E223"]

    @pytest.mark.parametrize("minutes", [0, 4, 1441, "30", 30.0, True, None])
    def test_minutes_that_are_none_are_an_error(self, minutes: Any) -> None:
        assert self.ids(SESSION_MINUTES=minutes) == ["E224"]

    @pytest.mark.parametrize(
        "origins",
        ["https://a-text.example", ["http://pay.shop.example"], ["https://pay.shop.example/"], [7]],
    )
    def test_origins_that_are_none_are_an_error(self, origins: Any) -> None:
        assert self.ids(CHECKOUT_ORIGINS=origins) == ["E225"]

    def test_a_name_that_is_no_text_and_an_unknown_option_are_warnings(self) -> None:
        assert self.ids(PRODUCT_NAME=7, WEBHOOK_SECRET="whsec_") == ["W211", "W222"]

    def test_a_domain_of_ones_own_may_be_led_to(self) -> None:
        own = backend(CHECKOUT_ORIGINS=["https://pay.shop.example"])
        assert own.redirect_origins == ("https://checkout.stripe.com", "https://pay.shop.example")


def test_a_missing_package_is_a_check_error_that_says_what_to_install() -> None:
    script = """
import sys
sys.modules["stripe"] = None
import django
from django.conf import settings
from tests import settings as own
values = {name: getattr(own, name) for name in dir(own) if name.isupper()}
method = {"BACKEND": "snipcart_checkout.backends.stripe.StripeBackend", "NAME": "Card"}
values["SNIPCART_CHECKOUT"]["STORES"]["live"]["METHODS"] = {"shop_card": method}
settings.configure(**values)
django.setup()
from django.core import checks
for message in checks.run_checks(tags=["snipcart_checkout"]):
    print(message.id, message.hint)
"""
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=root
    )
    assert 'snipcart_checkout.E211 Run: pip install "django-snipcart-checkout[stripe]"' in done.stdout, (
        done.stderr
    )


class TestPing:
    def test_a_key_that_may_read_everything_is_good(self, account: StripeAccount) -> None:
        backend().ping()
        assert {method for method, _path, _form in account.requests} == {"GET"}

    def test_what_a_restricted_key_may_not_read_is_named(self, account: StripeAccount) -> None:
        account.forbidden = {"refunds", "payment_intents"}
        with pytest.raises(ImproperlyConfigured, match="PaymentIntents, Refunds"):
            backend().ping()

    @pytest.mark.parametrize("answer", [401, requests.ConnectionError("cut")])
    def test_a_key_that_is_not_accepted_is_said_without_the_key(
        self, account: StripeAccount, answer: Any
    ) -> None:
        account.answer_next(answer, {"type": "invalid_request_error", "message": f"No: {LIVE_KEY}"})
        with pytest.raises(ImproperlyConfigured, match="SECRET_KEY") as caught:
            backend().ping()
        assert LIVE_KEY not in str(caught.value)
