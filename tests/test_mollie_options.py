"""The options of the Mollie backend, and what its ping says of the key."""

from __future__ import annotations

from typing import Any

import pytest
import responses
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy

from snipcart_checkout.backends.http import ProviderUnavailable
from snipcart_checkout.backends.mollie import MollieBackend
from snipcart_checkout.testing import CheckoutSettings
from tests.support.mollie_account import LIVE_KEY, PROFILE, TEST_KEY, MollieAccount
from tests.support.mollie_charges import account, backend

__all__ = ["account"]


@pytest.fixture
def in_test_mode(checkout_settings: CheckoutSettings) -> None:
    """The store is Snipcart's test half."""
    checkout_settings.store(MODE="test")


def ids(**options: Any) -> list[str]:
    return [str(message.id).rpartition(".")[2] for message in backend(**options).check()]


def test_a_key_alone_is_enough() -> None:
    assert ids() == []


def test_every_option_that_works_is_silent() -> None:
    options = {
        "METHODS": ["ideal", "creditcard", "banktransfer"],
        "PROFILE_ID": PROFILE,
        "PAYMENT_DESCRIPTION": gettext_lazy("Card"),
        "CHECKOUT_ORIGINS": ["https://pay.shop.example"],
    }
    assert ids(**options) == []


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        5,
        "live_",
        "live_short",
        "live_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "test_dHar4XY7LxsDOtmnkVtjNVWXLSlXsM",
        "access_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5",
        f"{LIVE_KEY}\n",
        f" {LIVE_KEY}",
    ],
)
def test_a_key_that_is_none_is_an_error(key: object) -> None:
    assert ids(API_KEY=key) == ["E241"]


def test_a_test_key_in_a_live_store_is_an_error() -> None:
    assert ids(API_KEY=TEST_KEY) == ["E242"]


@pytest.mark.usefixtures("in_test_mode")
def test_a_live_key_in_a_test_store_is_an_error() -> None:
    assert ids(API_KEY=LIVE_KEY) == ["E242"]
    assert ids(API_KEY=TEST_KEY) == []


@pytest.mark.parametrize("methods", ["ideal", [1], ["ideal", "ideal"], {"ideal": 1}, None])
def test_methods_that_are_no_list_are_an_error(methods: object) -> None:
    assert ids(METHODS=methods) == ["E243"]


def test_a_method_that_needs_more_than_is_sent_is_an_error() -> None:
    assert ids(METHODS=["ideal", "klarna"]) == ["E244"]


def test_a_misspelt_method_is_a_warning_that_names_the_nearest() -> None:
    (message,) = backend(METHODS=["idael"]).check()
    assert str(message.id).endswith("W241")
    assert "'ideal'" in str(message.hint)
    assert ids(METHODS=["something quite new"]) == ["W241"]


@pytest.mark.parametrize("profile_id", ["", "5", "tr_12345", 5])
def test_a_profile_that_is_none_is_an_error(profile_id: object) -> None:
    assert ids(PROFILE_ID=profile_id) == ["E245"]


@pytest.mark.parametrize(
    "origins", ["https://pay.shop.example", ["http://pay.shop.example"], ["https://pay.shop.example/x"], [1]]
)
def test_origins_that_are_none_are_an_error(origins: object) -> None:
    assert ids(CHECKOUT_ORIGINS=origins) == ["E246"]


def test_a_description_that_is_no_text_is_a_warning() -> None:
    assert ids(PAYMENT_DESCRIPTION=5) == ["W242"]


def test_an_unknown_option_is_a_warning() -> None:
    assert ids(APIKEY="x") == ["W211"]


def test_no_message_prints_the_key() -> None:
    messages = backend(API_KEY=TEST_KEY, METHODS=5, PROFILE_ID=5, X=TEST_KEY).check()
    assert len(messages) == 4
    assert TEST_KEY not in "".join(f"{message.msg} {message.hint}" for message in messages)


def test_a_ping_asks_whose_the_key_is(account: MollieAccount) -> None:
    backend(PROFILE_ID=PROFILE).ping()
    assert account.requests == [("GET", "/profiles/me", {}, None)]


def test_a_ping_says_that_the_key_is_of_another_profile(account: MollieAccount) -> None:
    with pytest.raises(ImproperlyConfigured, match="PROFILE_ID"):
        backend(PROFILE_ID="pfl_other").ping()


@pytest.mark.parametrize("status", ["blocked", "unverified"])
def test_a_ping_says_that_the_profile_takes_no_payment(account: MollieAccount, status: str) -> None:
    account.profile_status = status
    with pytest.raises(ImproperlyConfigured, match=status):
        backend().ping()


@pytest.mark.usefixtures("in_test_mode")
def test_a_profile_that_is_not_verified_yet_may_be_tested() -> None:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        account = MollieAccount(mock, key=TEST_KEY)
        account.profile_status = "unverified"
        backend(API_KEY=TEST_KEY).ping()


def test_a_ping_says_that_the_key_is_of_the_other_mode(account: MollieAccount) -> None:
    account.mode = "test"
    with pytest.raises(ImproperlyConfigured, match="mode"):
        backend().ping()


def test_a_ping_says_that_the_key_is_not_accepted(account: MollieAccount) -> None:
    with pytest.raises(ImproperlyConfigured, match="does not accept API_KEY"):
        backend(API_KEY=LIVE_KEY + "x").ping()


def test_a_ping_that_mollie_does_not_answer_says_so(account: MollieAccount) -> None:
    account.answer_next(500, "Later.")
    with pytest.raises(ImproperlyConfigured, match="500"):
        backend().ping()
    account.answer_next(ConnectionError())
    with pytest.raises(ProviderUnavailable):
        backend().ping()


def test_the_backend_says_where_the_shopper_goes_on() -> None:
    assert "Mollie" in str(MollieBackend.description)
