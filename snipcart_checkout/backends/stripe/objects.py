"""Stripe's objects as far as they matter here, read so that a field which Stripe leaves out is None."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PaymentIntent:
    """What becomes of the money. The last three say why the latest attempt failed, if one did."""

    id: str
    status: str
    error_type: str
    error_code: str
    decline_code: str

    @classmethod
    def from_stripe(cls, content: Any) -> PaymentIntent:
        """Read a PaymentIntent of Stripe's library."""
        error = _field(content, "last_payment_error")
        return cls(
            id=_text(content, "id"),
            status=_text(content, "status"),
            error_type=_text(error, "type"),
            error_code=_text(error, "code"),
            decline_code=_text(error, "decline_code"),
        )


@dataclass(frozen=True, kw_only=True)
class CheckoutSession:
    """A visit to Stripe's page. ``reference`` is ours, ``created`` in seconds since 1970, amounts in Stripe's units."""

    id: str
    status: str
    payment_status: str
    reference: str
    url: str
    created: int
    amount_total: int | None
    currency: str
    intent: PaymentIntent | None

    @classmethod
    def from_stripe(cls, content: Any) -> CheckoutSession:
        """Read a Checkout Session of Stripe's library; raise ValueError where its PaymentIntent is not expanded."""
        intent = _field(content, "payment_intent")
        if isinstance(intent, str):
            raise ValueError("the PaymentIntent is not expanded")
        return cls(
            id=_text(content, "id"),
            status=_text(content, "status"),
            payment_status=_text(content, "payment_status"),
            reference=_text(content, "client_reference_id"),
            url=_text(content, "url"),
            created=int(_field(content, "created")),
            amount_total=_field(content, "amount_total"),
            currency=_text(content, "currency").upper(),
            intent=PaymentIntent.from_stripe(intent) if intent is not None else None,
        )


@dataclass(frozen=True, kw_only=True)
class Refund:
    """Money on its way back. ``reference`` is ours, of the refund."""

    id: str
    status: str
    reference: str
    failure_reason: str

    @classmethod
    def from_stripe(cls, content: Any) -> Refund:
        """Read a Refund of Stripe's library."""
        return cls(
            id=_text(content, "id"),
            status=_text(content, "status"),
            reference=get_reference(content),
            failure_reason=_text(content, "failure_reason"),
        )


def get_reference(content: Any) -> str:
    """Return our reference out of the metadata of an object of Stripe's; empty where there is none."""
    return _text(_field(content, "metadata"), "reference")


def _field(content: Any, name: str) -> Any:
    return getattr(content, name, None)


def _text(content: Any, name: str) -> str:
    value = _field(content, name)
    return value if isinstance(value, str) else ""
