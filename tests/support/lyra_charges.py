"""Charges and refunds of the Lyra backend for its tests, and the account behind it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import responses

from snipcart_checkout.backends.base import Charge, Paid, Redirect, RefundRequest
from snipcart_checkout.backends.lyra import LyraBackend
from snipcart_checkout.snipcart.money import to_minor_units
from tests.support.lyra_account import HMAC_KEY, LIVE_PASSWORD, SHOP_ID, LyraAccount

if TYPE_CHECKING:
    from collections.abc import Iterator

RETURN_URL = "https://pay.shop.example/checkout/payments/1/return/"
NOTIFICATION_URL = "https://pay.shop.example/checkout/live/notifications/card/"
OPTIONS = {"PLATFORM": "systempay", "SHOP_ID": SHOP_ID, "PASSWORD": LIVE_PASSWORD, "HMAC_KEY": HMAC_KEY}


@pytest.fixture
def lyra() -> Iterator[LyraAccount]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_passthru("http://127.0.0.1")  # Snipcart's stand-in
        yield LyraAccount(mock)


def backend(store: str = "live", **options: Any) -> LyraBackend:
    return LyraBackend(store=store, method="card", options={**OPTIONS, **options})


def charge(amount: str = "12.34", currency: str = "EUR", **changes: Any) -> Charge:
    values: dict[str, Any] = {
        "reference": uuid4(),
        "amount": Decimal(amount),
        "currency": currency,
        "minor_units": to_minor_units(Decimal(amount), currency),
        "return_url": RETURN_URL,
        "notification_url": NOTIFICATION_URL,
        **changes,
    }
    return Charge(**values)


def left(**changes: Any) -> Charge:
    """A charge whose shopper was sent to Lyra."""
    asked = charge(**changes)
    result = backend().charge(asked)
    assert isinstance(result, Redirect)
    return replace(asked, provider_reference=result.provider_reference)


def paid(lyra: LyraAccount, **changes: Any) -> tuple[Charge, str]:
    """A paid charge and its transaction id; captured only once that is said."""
    asked = left(**changes)
    lyra.shopper_pays(asked.reference)
    result = backend().lookup(asked)
    assert isinstance(result, Paid)
    return asked, result.transaction_id


def captured(lyra: LyraAccount, **changes: Any) -> tuple[Charge, str]:
    """A paid charge whose money was captured in the night, and its transaction id."""
    asked, uuid = paid(lyra, **changes)
    lyra.is_captured(uuid)
    return asked, uuid


def refund_of(asked: Charge, transaction_id: str, amount: str | None = None, **changes: Any) -> RefundRequest:
    major = Decimal(amount) if amount else asked.amount
    values: dict[str, Any] = {
        "reference": uuid4(),
        "charge": asked,
        "transaction_id": transaction_id,
        "amount": major,
        "currency": asked.currency,
        "minor_units": to_minor_units(major, asked.currency),
        **changes,
    }
    return RefundRequest(**values)


def returned(asked: Charge) -> Charge:
    return replace(asked, shopper_returned=True)
