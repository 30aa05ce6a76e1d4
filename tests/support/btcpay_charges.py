"""Charges and refunds of the BTCPay backend for its tests, and the server behind it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import responses

from snipcart_checkout.backends.base import Charge, Paid, Redirect, RefundRequest
from snipcart_checkout.backends.btcpay import BTCPayBackend
from snipcart_checkout.snipcart.money import to_minor_units
from tests.support.btcpay_server import API_KEY, STORE_ID, URL, WEBHOOK_SECRET, BTCPayServer

if TYPE_CHECKING:
    from collections.abc import Iterator

RETURN_URL = "https://pay.shop.example/checkout/payments/1/return/"
OPTIONS = {"URL": URL, "STORE_ID": STORE_ID, "API_KEY": API_KEY, "WEBHOOK_SECRET": WEBHOOK_SECRET}


@pytest.fixture
def btcpay() -> Iterator[BTCPayServer]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_passthru("http://127.0.0.1")  # Snipcart's stand-in
        yield BTCPayServer(mock)


def backend(**options: Any) -> BTCPayBackend:
    return BTCPayBackend(store="live", method="bitcoin", options={**OPTIONS, **options})


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


def left(**changes: Any) -> Charge:
    """A charge whose shopper was sent to BTCPay Server."""
    asked = charge(**changes)
    result = backend().charge(asked)
    assert isinstance(result, Redirect)
    return replace(asked, provider_reference=result.provider_reference)


def returned(asked: Charge) -> Charge:
    """The charge as it is looked up when the shopper comes back."""
    return replace(asked, shopper_returned=True)


def refund_of(asked: Charge, amount: str = "12.34") -> RefundRequest:
    """A refund of a charge that was paid."""
    paid = backend().lookup(asked)
    assert isinstance(paid, Paid)
    return RefundRequest(
        reference=uuid4(),
        charge=asked,
        transaction_id=paid.transaction_id,
        amount=Decimal(amount),
        currency=asked.currency,
        minor_units=to_minor_units(Decimal(amount), asked.currency),
    )
