"""Charges and refunds of the Stripe backend for its tests, and the account behind it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import responses

from snipcart_checkout.backends.base import (
    Charge,
    Paid,
    Redirect,
    RefundRequest,
)
from snipcart_checkout.backends.stripe import StripeBackend
from tests.support.stripe_account import LIVE_KEY, SIGNING_SECRET, StripeAccount

if TYPE_CHECKING:
    from collections.abc import Iterator

RETURN_URL = "https://pay.shop.example/checkout/payments/1/return/"
DAY = 24 * 3600


@pytest.fixture
def account() -> Iterator[StripeAccount]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_passthru("http://127.0.0.1")  # Snipcart's stand-in
        yield StripeAccount(mock)


def backend(**options: Any) -> StripeBackend:
    usual = {"SECRET_KEY": LIVE_KEY, "WEBHOOK_SECRETS": [SIGNING_SECRET]}
    return StripeBackend(store="live", method="card", options={**usual, **options})


def charge(amount: str = "12.34", currency: str = "EUR", **changes: Any) -> Charge:
    values: dict[str, Any] = {
        "reference": uuid4(),
        "amount": Decimal(amount),
        "currency": currency,
        "minor_units": 1234,
        "return_url": RETURN_URL,
        **changes,
    }
    return Charge(**values)


def left(account: StripeAccount, **changes: Any) -> Charge:
    """A charge whose shopper was sent to Stripe."""
    asked = charge(**changes)
    result = backend().charge(asked)
    assert isinstance(result, Redirect)
    return replace(asked, provider_reference=result.provider_reference)


def paid(account: StripeAccount, **changes: Any) -> tuple[Charge, str]:
    """A paid charge and its transaction id."""
    asked = left(account, **changes)
    account.shopper_pays(asked.provider_reference)
    result = backend().lookup(asked)
    assert isinstance(result, Paid)
    return asked, result.transaction_id


def refund_of(asked: Charge, transaction_id: str, amount: str | None = None, **changes: Any) -> RefundRequest:
    values: dict[str, Any] = {
        "reference": uuid4(),
        "charge": asked,
        "transaction_id": transaction_id,
        "amount": Decimal(amount) if amount else asked.amount,
        "currency": asked.currency,
        "minor_units": 1,
        **changes,
    }
    return RefundRequest(**values)


def sent(account: StripeAccount) -> dict[str, str]:
    """The parameters of the latest request."""
    return account.requests[-1][2]


def returned(asked: Charge) -> Charge:
    return replace(asked, shopper_returned=True)
