"""All messages besides the session: Snipcart's two webhooks with our answers, the confirmation with
Snipcart's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from snipcart_checkout.exceptions import BadAnswer, UnpayableOrder
from snipcart_checkout.snipcart.reading import Fields, read_json
from snipcart_checkout.snipcart.session import Invoice


@dataclass(frozen=True, kw_only=True)
class MethodsRequest:
    """The body of the payment-methods webhook; ``tokens`` are all the public tokens in it."""

    is_test: bool
    invoice: Invoice | None
    tokens: tuple[object, ...]

    @classmethod
    def from_json(cls, value: object) -> MethodsRequest:
        """Read the webhook's body. ``invoice`` is None when its amount or currency cannot be paid.

        Raises BadAnswer.
        """
        tokens = _tokens_in(value)
        fields = Fields(_without_token(value))
        mode = fields.get("mode")
        return cls(
            # Every value except "test" counts as live: a live order must never be treated as a test.
            is_test=isinstance(mode, str) and mode.lower() == "test",
            invoice=_payable_invoice(fields.get("invoice")),
            tokens=tokens,
        )


def _payable_invoice(value: object) -> Invoice | None:
    try:
        return Invoice.from_json(value)
    except UnpayableOrder:
        return None


def _tokens_in(value: object) -> tuple[object, ...]:
    members = value.items() if isinstance(value, dict) else ()
    return tuple(member for key, member in members if key.lower() == "publictoken" and member is not None)


def _without_token(value: object) -> object:
    # Two different tokens get an error of their own, not that of an unreadable body.
    if not isinstance(value, dict):
        return value
    return {key: member for key, member in value.items() if key.lower() != "publictoken"}


@dataclass(frozen=True, kw_only=True)
class OfferedMethod:
    """A payment method as the payment-methods webhook answers it; URLs are absolute."""

    id: str
    name: str
    checkout_url: str
    icon_url: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the object that Snipcart expects; without an icon its key is omitted."""
        method = {"id": self.id, "name": self.name, "checkoutUrl": self.checkout_url}
        return {**method, "iconUrl": self.icon_url} if self.icon_url else method


@dataclass(frozen=True, kw_only=True)
class RefundCall:
    """The body of the refund webhook. ``amount`` is in major units, unchecked; None where there is none.

    ``paymentId`` is not read: whether it is Snipcart's id or ours is not documented, and the address already says
    which payment.
    """

    amount: object
    tokens: tuple[object, ...]

    @classmethod
    def from_body(cls, data: bytes) -> RefundCall:
        """Read the webhook's body. Never raises, because the sender is verified before the content is."""
        tokens: tuple[object, ...] = ()
        try:
            value = read_json(data)
            tokens = _tokens_in(value)
            return cls(amount=Fields(_without_token(value)).get("amount"), tokens=tokens)
        except BadAnswer:
            return cls(amount=None, tokens=tokens)


@dataclass(frozen=True, kw_only=True)
class ConfirmationMessage:
    """The outcome of a payment, as it is sent to Snipcart ("Create payment" of its reference).

    ``transaction_id`` is always sent: the reference requires it, although its own failed example
    has none.
    """

    session_id: str
    outcome: str
    transaction_id: str
    instructions: str = ""
    refund_url: str = ""
    error_code: str = ""
    error_message: str = ""

    def to_body(self) -> str:
        """Return the JSON text; the same value always gives the same text.

        It is ASCII, so that a table of any character set can hold it.
        """
        body: dict[str, object] = {
            "paymentSessionId": self.session_id,
            "state": self.outcome,
            "transactionId": self.transaction_id,
        }
        if self.error_code:
            message = {"message": self.error_message} if self.error_message else {}
            body["error"] = {"code": self.error_code, **message}
        if self.instructions:
            body["instructions"] = self.instructions
        if self.refund_url:
            body["links"] = {"refunds": self.refund_url}
        return json.dumps(body, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True)
class ConfirmationAnswer:
    """Snipcart's answer to a confirmation; ``return_url`` is unchecked and may be empty."""

    return_url: str = ""

    @classmethod
    def from_body(cls, data: bytes) -> ConfirmationAnswer:
        """Read the answer. A 2xx means recorded whatever the body says, so this never raises."""
        try:
            return cls(return_url=Fields(read_json(data)).link("returnurl"))
        except BadAnswer:
            return cls()
