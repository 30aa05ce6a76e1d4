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
    def from_stripe(cls, found: Any) -> PaymentIntent:
        """Read a PaymentIntent of Stripe's library."""
        error = _field(found, "last_payment_error")
        return cls(
            id=_text(found, "id"),
            status=_text(found, "status"),
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
    def from_stripe(cls, found: Any) -> CheckoutSession:
        """Read a Checkout Session of Stripe's library; raise ValueError where its PaymentIntent is not expanded."""
        intent = _field(found, "payment_intent")
        if isinstance(intent, str):
            raise ValueError("the PaymentIntent is not expanded")
        return cls(
            id=_text(found, "id"),
            status=_text(found, "status"),
            payment_status=_text(found, "payment_status"),
            reference=_text(found, "client_reference_id"),
            url=_text(found, "url"),
            created=int(_field(found, "created")),
            amount_total=_field(found, "amount_total"),
            currency=_text(found, "currency").upper(),
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
    def from_stripe(cls, found: Any) -> Refund:
        """Read a Refund of Stripe's library."""
        return cls(
            id=_text(found, "id"),
            status=_text(found, "status"),
            reference=get_reference(found),
            failure_reason=_text(found, "failure_reason"),
        )


def get_reference(found: Any) -> str:
    """Return our reference out of the metadata of an object of Stripe's; empty where there is none."""
    return _text(_field(found, "metadata"), "reference")


def _field(found: Any, name: str) -> Any:
    return getattr(found, name, None)


def _text(found: Any, name: str) -> str:
    value = _field(found, name)
    return value if isinstance(value, str) else ""
