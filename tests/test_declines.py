"""Every code of a decline has words for the shopper, in the cart's language."""

from __future__ import annotations

import pytest

from snipcart_checkout.backends.stripe import declines
from snipcart_checkout.presentation.declines import EXPIRED, decline_text

NEUTRAL = "The payment was declined. No money was taken."

# The codes that Snipcart's label files have texts for.
OF_SNIPCART = (
    "errors.card.invalid_number",
    "errors.card.invalid_date",
    "errors.card.invalid_year",
    "errors.card.invalid_month",
    "errors.card.invalid_cvv",
    "errors.card.invalid_expiration",
    "errors.card.expired",
    "errors.card.invalid_address",
    "errors.card.insufficient_funds",
    "errors.card.card_not_supported",
    "errors.card.currency_not_supported",
)


@pytest.mark.parametrize("code", OF_SNIPCART)
def test_a_code_of_the_cart_has_a_text_of_its_own(code: str) -> None:
    assert decline_text(code, "en") != NEUTRAL
    assert decline_text(code.rpartition(".")[2], "en") == decline_text(code, "en")


@pytest.mark.parametrize(
    "code", ["errors.card.declined", "errors.transaction.declined", "declined", "", "x", "a.b."]
)
def test_a_code_that_says_nothing_more_has_a_neutral_text(code: str) -> None:
    assert decline_text(code, "en") == NEUTRAL


def test_the_casing_of_a_code_does_not_matter() -> None:
    assert decline_text("Insufficient_Funds", "en") == decline_text("insufficient_funds", "en")


@pytest.mark.parametrize("code", sorted({*declines._DECLINES.values(), "amount_not_supported", "cancelled"}))
def test_a_code_of_a_shipped_backend_has_a_text_of_its_own(code: str) -> None:
    assert decline_text(code, "en") != NEUTRAL


def test_a_text_says_whether_money_was_taken() -> None:
    assert all(decline_text(code, "fr").endswith("Rien n’a été débité.") for code in OF_SNIPCART)


def test_a_payment_that_expired_is_not_said_to_have_taken_nothing() -> None:
    # The money may still be under way; it did not come in time, and that is all that is known.
    assert decline_text(EXPIRED, "en") == "The payment did not arrive in time."
