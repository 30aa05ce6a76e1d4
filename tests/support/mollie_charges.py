"""Charges and refunds of the Mollie backend for its tests, and the account behind it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import responses

from snipcart_checkout.backends.base import Charge, Paid, Redirect, RefundRequest
from snipcart_checkout.backends.mollie import MollieBackend
from tests.support.mollie_account import LIVE_KEY, MollieAccount

if TYPE_CHECKING:
    from collections.abc import Iterator

RETURN_URL = "https://pay.shop.example/checkout/payments/1/return/"
NOTIFICATION_URL = "https://pay.shop.example/checkout/live/notifications/card/"


@pytest.fixture
def account() -> Iterator[MollieAccount]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield MollieAccount(mock)


def backend(**options: Any) -> MollieBackend:
    """A backend of a method of its own, so that no other test's failures have opened its circuit."""
    method = f"card-{uuid4()}"
    return MollieBackend(store="live", method=method, options={"API_KEY": LIVE_KEY, **options})


def charge(amount: str = "12.34", currency: str = "EUR", **changes: Any) -> Charge:
    values: dict[str, Any] = {
        "reference": uuid4(),
        "amount": Decimal(amount),
        "currency": currency,
        "minor_units": _minor_units(Decimal(amount), currency),
        "return_url": RETURN_URL,
        "notification_url": NOTIFICATION_URL,
        **changes,
    }
    return Charge(**values)


def left(**changes: Any) -> Charge:
    """A charge whose shopper was sent to Mollie."""
    asked = charge(**changes)
    result = backend().charge(asked)
    assert isinstance(result, Redirect)
    return replace(asked, provider_reference=result.provider_reference)


def returned(asked: Charge) -> Charge:
    return replace(asked, shopper_returned=True)


def paid(account: MollieAccount, **changes: Any) -> tuple[Charge, str]:
    """A paid charge and its transaction id."""
    asked = left(**changes)
    account.shopper_pays(asked.provider_reference)
    result = backend().lookup(asked)
    assert isinstance(result, Paid)
    return asked, result.transaction_id


def refund_of(asked: Charge, transaction_id: str, amount: str | None = None) -> RefundRequest:
    major = Decimal(amount) if amount else asked.amount
    return RefundRequest(
        reference=uuid4(),
        charge=asked,
        transaction_id=transaction_id,
        amount=major,
        currency=asked.currency,
        minor_units=_minor_units(major, asked.currency),
    )


def sent(account: MollieAccount) -> Any:
    """The body of the latest request."""
    return account.requests[-1][3]


def calls(account: MollieAccount) -> list[str]:
    """Every request, as ``POST /payments``."""
    return [f"{method} {path}" for method, path, _query, _body in account.requests]


def _minor_units(amount: Decimal, currency: str) -> int:
    return backend().to_minor_units(amount, currency)
