"""Charges and refunds of the PayPal backend for its tests, and the account behind it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import responses

from snipcart_checkout.backends.base import Charge, Paid, Redirect, RefundRequest
from snipcart_checkout.backends.paypal import PayPalBackend, tokens
from snipcart_checkout.snipcart.money import to_minor_units
from tests.support.paypal_account import CLIENT_ID, CLIENT_SECRET, WEBHOOK_ID, PayPalAccount

if TYPE_CHECKING:
    from collections.abc import Iterator

RETURN_URL = "https://pay.shop.example/checkout/payments/1/return/"
OPTIONS = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET, "WEBHOOK_ID": WEBHOOK_ID}


@pytest.fixture
def account() -> Iterator[PayPalAccount]:
    tokens.drop_all_tokens()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_passthru("http://127.0.0.1")  # Snipcart's stand-in
        yield PayPalAccount(mock)


def backend(store: str = "live", **options: Any) -> PayPalBackend:
    return PayPalBackend(store=store, method="wallet", options={**OPTIONS, **options})


def charge(amount: str = "12.34", currency: str = "EUR", **changes: Any) -> Charge:
    values: dict[str, Any] = {
        "reference": uuid4(),
        "amount": Decimal(amount),
        "currency": currency,
        "minor_units": to_minor_units(Decimal(amount), currency),
        "return_url": RETURN_URL,
        **changes,
    }
    return Charge(**values)


def left(account: PayPalAccount, **changes: Any) -> Charge:
    """A charge whose shopper was sent to PayPal."""
    asked = charge(**changes)
    result = backend().charge(asked)
    assert isinstance(result, Redirect)
    return replace(asked, provider_reference=result.provider_reference)


def approved(account: PayPalAccount, **changes: Any) -> Charge:
    """A charge whose shopper approved it at PayPal."""
    asked = left(account, **changes)
    account.shopper_approves(asked.provider_reference)
    return asked


def paid(account: PayPalAccount, **changes: Any) -> tuple[Charge, str]:
    """A paid charge and its transaction id."""
    asked = approved(account, **changes)
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


def returned(asked: Charge) -> Charge:
    return replace(asked, shopper_returned=True)
