"""Lyra's objects as far as they matter here, read so that a field which is missing or of another type is empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from snipcart_checkout.backends.lyra.errors import to_error_code


@dataclass(frozen=True, kw_only=True)
class PaymentOrder:
    """An invitation to pay on Lyra's page (V4/PaymentOrder). ``order_id`` is our reference."""

    id: str
    status: str
    order_id: str
    url: str
    created: datetime | None

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> PaymentOrder:
        """Read the answer of a payment order web service."""
        return cls(
            id=_text(answer, "paymentOrderId"),
            status=_text(answer, "paymentOrderStatus"),
            order_id=_text(answer, "orderId"),
            url=_text(answer, "paymentURL"),
            created=_moment(_text(answer, "creationDate")),
        )


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """One attempt to pay, or money on its way back (V4/Transaction). ``amount`` is in minor units of ``currency``.

    ``order_id`` is our reference of the payment, ``parent`` the transaction that a refund is of.
    """

    uuid: str
    operation: str
    method: str
    status: str
    detailed_status: str
    amount: int | None
    currency: str
    order_id: str
    created: str
    parent: str
    error_code: str
    detailed_error_code: str

    @classmethod
    def from_json(cls, answer: object) -> Transaction:
        """Read a transaction, whichever web service it came from."""
        content = _members(answer)
        return cls(
            uuid=_text(content, "uuid"),
            operation=_text(content, "operationType"),
            method=_text(content, "paymentMethodType"),
            status=_text(content, "status"),
            detailed_status=_text(content, "detailedStatus"),
            amount=_number(content, "amount"),
            currency=_text(content, "currency"),
            order_id=_text(_members(content.get("orderDetails")), "orderId"),
            created=_text(content, "creationDate"),
            parent=_text(_members(content.get("transactionDetails")), "parentTransactionUuid"),
            error_code=to_error_code(content.get("errorCode")),
            detailed_error_code=_text(content, "detailedErrorCode"),
        )


def _members(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    return value if isinstance(value, str) else ""


def _number(content: Mapping[str, Any], name: str) -> int | None:
    value = content.get(name)
    return value if type(value) is int and value >= 0 else None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
